"""What is drawn of which model, when, and that nothing of it reaches the training."""

import math

import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import vae_lightning
from vae_lightning.callbacks import Figures
from vae_lightning.cli.main import main
from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.figures import registry
from vae_lightning.figures.context import FigureContext, format_title, isolated_eval, posterior_stats, probe_images
from vae_lightning.figures.history import History
from vae_lightning.figures.registry import FIGURES, check_names, draw_figures, pairs_of
from vae_lightning.models import ELBOModule
from vae_lightning.plotting import latent_space
from vae_lightning.rng import rng_state
from vae_lightning.training.train import train

FOLDER = "run/figures"
ALWAYS = {"reconstructions", "samples"}
POINTS = {"latent_space", "traversals", "traversals_animation", "interpolations"}
RATES = {"rate_per_latent"}
SPACE = {"latent_space_tsne"}
PLANE = {"manifold", "manifold_linear"}
CLASSES = {"class_swap", "class_traversals"}


def built(small, *overrides) -> ELBOModule:
    torch.manual_seed(0)
    return instantiate(small(*overrides).model, _convert_="all").eval()


def digits(small, *overrides):
    data = instantiate(small(*overrides).data, _convert_="all")
    data.setup()
    return data


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model=vae"], ALWAYS | POINTS | RATES | SPACE),
        (["model=vae", "model.latent_dim=2"], ALWAYS | POINTS | RATES | PLANE),
        (["model=vae", "model.latent_dim=1"], ALWAYS | POINTS | RATES),
        (["model=vae", "model.latent_dim=32"], ALWAYS | POINTS | RATES | SPACE),
        (["model=ae"], ALWAYS | POINTS | SPACE),
        (["model=wae", "model.latent_dim=2"], ALWAYS | POINTS | PLANE),
        (["model=vq_vae", "model.latent_dim=4"], ALWAYS | SPACE | {"latent_space"}),
        (["model=hvae"], ALWAYS | POINTS | RATES | SPACE),
        (["model=iwae"], ALWAYS | POINTS | RATES | SPACE),
        (["model=vamp_vae", "model.latent_dim=2"], ALWAYS | POINTS),
        (["model=cvae"], ALWAYS | POINTS | RATES | SPACE | CLASSES),
        (["model=cvae", "model/prior=class_conditional"], ALWAYS | POINTS | RATES | SPACE | CLASSES),
        (["model=cvae", "model.latent_dim=2"], ALWAYS | POINTS | RATES | PLANE | CLASSES),
        (
            ["model=vq_vae", "model.latent_dim=4", "model.conditional=true"],
            ALWAYS | SPACE | {"latent_space", "class_swap"},
        ),
        (["model=vae", "data.image_shape=[3,8,8]"], ALWAYS | POINTS | RATES | SPACE),
    ],
    ids=lambda words: " ".join(sorted(words)),  # a set has no order of its own
)
def test_each_model_has_the_figures_that_make_sense(overrides, expected, small):
    subject = FigureContext(built(small, *overrides), digits(small, *overrides), "title")
    names = [name for name in FIGURES if name != "latent_space_umap"]
    assert {name for name, _ in draw_figures(subject, names)} == expected


@pytest.mark.parametrize("attributes", [False, True])
def test_data_without_classes_is_drawn_too(attributes, small):
    """Attributes condition a model, but make no classes."""
    overrides = [f"model.conditional={attributes}", f"data.num_classes={4 if attributes else 'null'}"]
    data = digits(small)
    data.num_classes = 4 if attributes else None
    for name, (x, _) in data.splits.items():
        y = torch.randint(2, (len(x), 4), generator=torch.Generator().manual_seed(0)) if attributes else None
        data.splits[name] = Batch(x, y)
    drawn = dict(
        draw_figures(FigureContext(built(small, *overrides), data), [n for n in FIGURES if n != "latent_space_umap"])
    )
    expected = ALWAYS | POINTS | RATES | SPACE
    assert drawn.keys() == (expected - {"interpolations"} if attributes else expected)
    assert drawn["latent_space"].axes[0].get_legend() is None


def pixels(figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array()


def test_colours_stay_colours(small):
    """Of red images the input is red."""
    data = digits(small, "data.image_shape=[3,8,8]")
    for x, _ in data.splits.values():
        x[:, 1:] = 0
    ((_, figure),) = draw_figures(FigureContext(built(small, "data.image_shape=[3,8,8]"), data), ["reconstructions"])
    first = pixels(figure)[:8]
    row = first[first.min(-1) < 1]  # without the white gaps
    assert row[:, 0].max() > 0.5
    assert row[:, 1:].max() == 0


def test_the_ends_of_an_interpolation_are_the_images_and_their_reconstructions(small):
    model, data = built(small), digits(small)
    ((_, figure),) = draw_figures(FigureContext(model, data), ["interpolations"])
    batch = probe_images(data, 2)
    output = model.reconstruct(*batch)
    grid = pixels(figure).squeeze()
    for place, image in ((0, batch.x[0, 0] / 255), (1, output[0, 0]), (10, output[1, 0]), (11, batch.x[1, 0] / 255)):
        for row in (0, 1):  # linear, spherical
            drawn = grid[9 * row : 9 * row + 8, 9 * place : 9 * place + 8]
            np.testing.assert_allclose(drawn, image.detach(), atol=2e-5)


def test_pairs_are_of_one_class_where_the_class_is_given():
    y = torch.tensor([2, 0, 0, 1, 2, 2, 1])
    assert pairs_of(7, y).tolist() == [[1, 2], [3, 6], [0, 4]]
    assert pairs_of(7, None).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert pairs_of(1, None).tolist() == []
    assert pairs_of(2, torch.tensor([0, 1])).tolist() == []


def test_the_latents_of_a_traversal_go_by_their_rates(small):
    """The posterior of one latent is made to say much, of another a little, of the third nothing."""
    model = built(small)
    with torch.no_grad():
        model.posterior.mu.weight.zero_()
        model.posterior.mu.bias.copy_(torch.tensor([1.0, 0.0, 4.0]))
        model.posterior.logvar.weight.zero_()
        model.posterior.logvar.bias.zero_()
    ((_, figure),) = draw_figures(FigureContext(model, digits(small)), ["traversals"])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    minus = "\N{MINUS SIGN}"
    assert names == [
        "$z_{3}$  8.00 nats  [2.0, 6.0]",
        f"$z_{{1}}$  0.50 nats  [{minus}1.0, 3.0]",
        f"$z_{{2}}$  0.00 nats  [{minus}2.0, 2.0]",
    ]


def test_the_rates_are_those_of_the_model_and_activity_is_measured_from_the_prior(small):
    model, images = built(small, "model=cvae", "model/prior=class_conditional"), Batch(torch.rand(50, 1, 8, 8), None)
    images = Batch(images.x, torch.arange(50) % 10)
    with isolated_eval(model):
        posterior = posterior_stats(model, images)
    q = model.encode(*images)
    rates = 0.5 * (q.mu**2 + q.logvar.exp() - q.logvar - 1).mean(0)
    torch.testing.assert_close(posterior.rates, rates, atol=1e-6, rtol=1e-4)
    with torch.no_grad():  # the prior knows the mean of each class, and the posterior no more
        model.prior.mu.weight.copy_(torch.randn(3, 10))
        model.posterior.mu.weight.zero_()
    with isolated_eval(model):
        before = posterior_stats(model, images)
    assert before.deviation.var(0).min() > 0.01
    assert before.active.all()
    model.encode = lambda x, y: model.prior(None, model.condition(y))
    with isolated_eval(model):
        assert not posterior_stats(model, images).active.any()


def test_the_watched_images_are_the_same_each_time_and_from_everywhere(small):
    data = digits(small)
    first, more = probe_images(data, 10), probe_images(data, 100)
    assert torch.equal(first.x, more.x[:10])
    assert len(first.y.unique()) > 4
    data.binarize = "dynamic"
    assert torch.equal(probe_images(data, 10).x, probe_images(data, 10).x)
    assert set(probe_images(data, 10).x.unique().tolist()) == {0, 255}


def test_looking_changes_neither_modes_nor_random_numbers(small):
    model = built(small, "model=vq_vae", "model.latent_dim=4").train()
    model.decoder.eval()
    before = rng_state()
    with isolated_eval(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        torch.rand(3)
        np.random.rand()
    assert torch.equal(rng_state()["torch"], before["torch"])
    assert torch.equal(rng_state()["numpy"][1], before["numpy"][1])
    assert model.encoder.training
    assert not model.decoder.training
    with pytest.raises(ZeroDivisionError), isolated_eval(model):
        raise ZeroDivisionError
    assert model.encoder.training


def test_a_model_of_nans_is_drawn_as_far_as_it_goes(small):
    model = built(small)
    with torch.no_grad():
        model.posterior.mu.bias.fill_(math.nan)
    drawn = {
        name
        for name, _ in draw_figures(
            FigureContext(model, digits(small)), [n for n in FIGURES if n != "latent_space_umap"]
        )
    }
    assert drawn >= ALWAYS
    assert not {"latent_space", "latent_space_tsne"} & drawn


def test_a_title_names_the_run_its_weights_and_the_epoch(small):
    assert (
        format_title("vae-mnist", built(small, "model=beta_vae", "model.beta=4"), 0.5, 3) == "vae-mnist, β = 2, epoch 3"
    )
    assert format_title("ae-mnist", built(small, "model=ae"), 1.0, 3) == "ae-mnist, epoch 3"


# ---------------------------------------------------------------- in a run


def test_what_cannot_be_drawn_is_told_before_the_training(small, monkeypatch):
    with pytest.raises(UserError, match=r"figures.final=nope: no such figure. Choose from reconstructions, samples"):
        check_names("callbacks.figures.final", ["nope"])
    monkeypatch.setattr(registry, "has_umap", lambda: False)
    with pytest.raises(
        InstantiationException, match=r"latent_space_umap: requires a package. Run pip install umap-learn"
    ):
        train(small("callbacks.figures.final=[latent_space_umap]"))


def test_umap_is_asked_where_it_is_installed(monkeypatch):
    class FakeUMAP:
        def __init__(self, **_):
            pass

        def fit_transform(self, mu):
            return mu[:, :2] * 2

    monkeypatch.setitem(__import__("sys").modules, "umap", type("umap", (), {"UMAP": FakeUMAP}))
    points, names = latent_space.umap(torch.ones(4, 5))
    assert points.tolist() == [[2, 2]] * 4
    assert names[0].startswith("UMAP 1")


def when_drawn(small, monkeypatch, *overrides) -> list[tuple[int, bool]]:
    """Each drawing's epoch, and whether it was that of the end."""
    seen = []
    monkeypatch.setattr(Figures, "draw", lambda self, t, m, epoch, names: seen.append((epoch, "traversals" in names)))
    train(small("model=ae", "callbacks.figures.every_n_epochs=2", *overrides))
    return seen


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["trainer.max_epochs=5"], [(2, False), (4, False), (5, True)]),
        (["trainer.max_epochs=4"], [(2, False), (4, True)]),
        (["trainer.max_epochs=1"], [(1, True)]),
    ],
)
def test_some_are_drawn_every_few_epochs_and_all_at_the_end(overrides, expected, small, monkeypatch):
    assert when_drawn(small, monkeypatch, *overrides) == expected


def test_figures_go_to_the_folder_and_to_tensorboard(small, tmp_path):
    train(small("model=cvae", "callbacks.figures.every_n_epochs=1"))
    names = ALWAYS | POINTS | RATES | SPACE | CLASSES | {"training_curves", "rate_history"}
    files = {file.stem: file for file in (tmp_path / FOLDER).iterdir()}
    assert files.keys() == names
    (events,) = [
        e for f in (tmp_path / "run").glob("events*") if (e := EventAccumulator(str(f)).Reload()).Tags()["images"]
    ]
    assert set(events.Tags()["images"]) == names
    assert [event.step for event in events.Images("samples")] == [1257, 2 * 1257]
    last = events.Images("samples")[-1]
    assert last.encoded_image_string == files["samples"].read_bytes()
    with Image.open(files["samples"]) as samples, Image.open(files["traversals_animation"]) as gif:
        assert (last.width, last.height) == samples.size
        assert gif.n_frames > 10
    assert set(events.Tags()["histograms"]) == {"posterior/mu", "posterior/logvar"}
    assert [event.step for event in events.Scalars("active_latents")] == [1257, 2 * 1257]


def history_of(run) -> History:
    return History(**torch.load(run / "checkpoints/last.ckpt", weights_only=True)["history"])


def test_a_run_that_is_resumed_has_the_whole_history(small, tmp_path):
    metrics = train(small("callbacks.warmup.epochs=3", "trainer.max_epochs=3", run="whole"))
    whole = history_of(tmp_path / "whole")
    assert list(whole.train) == list(whole.val) == list(whole.rates) == [1257, 2 * 1257, 3 * 1257]
    assert whole.train[3 * 1257]["rate"] == pytest.approx(metrics["train/rate"])
    assert whole.val[3 * 1257]["distortion"] == pytest.approx(metrics["val/distortion"])
    assert [epoch["warmup"] for epoch in whole.train.values()] == pytest.approx([1 / 3, 2 / 3, 1])
    assert len(whole.rates[1257]) == 3

    train(small("callbacks.warmup.epochs=3", "trainer.max_epochs=1", run="parts"))
    train(small("callbacks.warmup.epochs=3", "trainer.max_epochs=3", f"resume={tmp_path / 'parts'}", run="parts"))
    assert history_of(tmp_path / "parts") == whole


def test_a_validation_that_was_left_out_has_no_point(small, tmp_path):
    train(small("+trainer.check_val_every_n_epoch=2", "trainer.max_epochs=4"))
    history = history_of(tmp_path / "run")
    assert list(history.val) == [2 * 1257, 4 * 1257]
    assert len(history.train) == 4


def test_a_run_without_figures_can_be_resumed_with_them(small, tmp_path):
    train(small("~callbacks.figures", "trainer.max_epochs=1"))
    train(small(f"resume={tmp_path / 'run'}"))
    assert list(history_of(tmp_path / "run").train) == [2 * 1257]


def test_other_processes_draw_nothing(small, tmp_path, monkeypatch):
    from lightning.pytorch.utilities import rank_zero_only

    figures = Figures(folder=str(tmp_path), title="", every_n_epochs=1, periodic=["samples"], final=[])
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    figures.on_train_epoch_end(None, None)  # would fail if it looked at either
    figures.on_fit_end(None, None)
    assert not any(tmp_path.iterdir())


def test_the_figures_of_a_finished_run_are_drawn_again(small, tmp_path, capsys):
    train(small("model=beta_vae", "model.beta=2"))
    folder = tmp_path / FOLDER
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for file in folder.iterdir():
        file.unlink()
    capsys.readouterr()
    main(["figures", str(tmp_path / "run")])
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in sorted_as_drawn(before)]
    again = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert again == before  # the best checkpoint is the last one's: the same pictures to the last byte
    assert vae_lightning.load(tmp_path / "run").regularizer.beta == 2


def sorted_as_drawn(names) -> list[str]:
    return sorted(names, key=lambda name: list(FIGURES).index(name.partition(".")[0]))


def test_no_run_is_told(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["figures", str(tmp_path / "nowhere")])
