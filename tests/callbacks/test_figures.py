"""Tests of drawing figures during training, and of the history that the curves are drawn from."""

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vae_lightning.callbacks import Figures
from vae_lightning.callbacks.figures import FINAL, PERIODIC
from vae_lightning.figures.history import History
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.training.train import train


def drawn_epochs(small, monkeypatch, *overrides) -> list[tuple[int, bool]]:
    """Return the epoch of each drawing, and whether it included the final figures."""
    drawn = []
    monkeypatch.setattr(Figures, "draw", lambda self, t, m, epoch, names: drawn.append((epoch, "traversals" in names)))
    train(small("model=ae", "callbacks.figures.every_n_epochs=2", *overrides))
    return drawn


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["trainer.max_epochs=5"], [(2, False), (4, False), (5, True)]),
        (["trainer.max_epochs=4"], [(2, False), (4, True)]),
        (["trainer.max_epochs=1"], [(1, True)]),
    ],
)
def test_periodic_figures_are_drawn_every_few_epochs_and_all_at_the_end(overrides, expected, small, monkeypatch):
    assert drawn_epochs(small, monkeypatch, *overrides) == expected


def test_figures_are_written_to_the_directory_and_to_tensorboard(small, tmp_path):
    train(small("model=cvae", "callbacks.figures.every_n_epochs=1"))
    other_models = {"manifold", "manifold_linear", "class_manifolds", "code_usage", "samples_by_temperature"}
    names = {*PERIODIC, *FINAL} - other_models - {"factor_information"}  # the data have no factors
    files = {file.stem: file for file in (tmp_path / "run" / "figures").iterdir()}
    assert files.keys() == names
    (events,) = [
        e for f in (tmp_path / "run").glob("events*") if (e := EventAccumulator(str(f)).Reload()).Tags()["images"]
    ]
    assert set(events.Tags()["images"]) == {f"figures/{name}" for name in names}
    assert [event.step for event in events.Images("figures/samples")] == [1257, 2 * 1257]
    last = events.Images("figures/samples")[-1]
    assert last.encoded_image_string == files["samples"].read_bytes()
    with Image.open(files["samples"]) as samples, Image.open(files["traversals_animation"]) as gif:
        assert (last.width, last.height) == samples.size
        assert gif.n_frames > 10
    assert set(events.Tags()["histograms"]) == {"posterior/mu", "posterior/logvar"}
    assert [event.step for event in events.Scalars("active_latents")] == [1257, 2 * 1257]


def test_vector_files_are_written_beside_the_png(small, tmp_path):
    train(small("model=ae", "callbacks.figures.format=pdf", "callbacks.figures.final=[traversals_animation]"))
    names = {file.name for file in (tmp_path / "run" / "figures").iterdir()}
    assert names == {
        "reconstructions.png",
        "reconstructions.pdf",
        "samples.png",
        "samples.pdf",
        "traversals_animation.gif",
    }
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    png = (tmp_path / "run" / "figures" / "samples.png").read_bytes()
    assert events.Images("figures/samples")[-1].encoded_image_string == png


def history_of(run) -> History:
    return History(**torch.load(run / "checkpoints/last.ckpt", weights_only=True)[CheckpointKey.HISTORY])


def test_a_resumed_run_has_the_history_of_all_epochs(small, tmp_path):
    metrics = train(small("callbacks.warmup.epochs=3", "trainer.max_epochs=3", run="uninterrupted"))
    expected = history_of(tmp_path / "uninterrupted")
    assert list(expected.train) == list(expected.val) == list(expected.rates) == [1257, 2 * 1257, 3 * 1257]
    assert expected.train[3 * 1257]["rate"] == pytest.approx(metrics["train/rate"])
    assert expected.val[3 * 1257]["distortion"] == pytest.approx(metrics["val/distortion"])
    assert [epoch["warmup"] for epoch in expected.train.values()] == pytest.approx([1 / 3, 2 / 3, 1])
    assert len(expected.rates[1257]) == 3

    train(small("callbacks.warmup.epochs=3", "trainer.max_epochs=1", run="resumed"))
    train(small("callbacks.warmup.epochs=3", "trainer.max_epochs=3", f"resume={tmp_path / 'resumed'}", run="resumed"))
    assert history_of(tmp_path / "resumed") == expected


def test_epochs_without_validation_have_no_validation_metrics(small, tmp_path):
    train(small("+trainer.check_val_every_n_epoch=2", "trainer.max_epochs=4"))
    history = history_of(tmp_path / "run")
    assert list(history.val) == [2 * 1257, 4 * 1257]
    assert len(history.train) == 4


def test_checkpoints_within_an_epoch_add_nothing_to_the_history(small, tmp_path):
    train(small("callbacks.last.every_n_train_steps=1"))
    assert list(history_of(tmp_path / "run").train) == [1257, 2 * 1257]


def test_a_run_without_figures_can_be_resumed_with_them(small, tmp_path):
    train(small("~callbacks.figures", "trainer.max_epochs=1"))
    train(small(f"resume={tmp_path / 'run'}"))
    assert list(history_of(tmp_path / "run").train) == [2 * 1257]


def test_only_the_first_process_draws(small, tmp_path, monkeypatch):
    from lightning.pytorch.utilities import rank_zero_only

    figures = Figures(folder=str(tmp_path), title="", every_n_epochs=1, periodic=["samples"], final=[])
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    figures.on_train_epoch_end(None, None)  # would fail if it used either argument
    figures.on_fit_end(None, None)
    assert not any(tmp_path.iterdir())
