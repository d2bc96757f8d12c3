"""Tests of the figures of a model: which apply to it, and their contents."""

import math

import numpy as np
import pytest
import torch
from figure_inputs import build_data, build_model
from hydra.errors import InstantiationException
from matplotlib.figure import Figure

from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.figures import registry
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.probe_images import probe_images
from vae_lightning.figures.registry import FIGURES, check_names, draw_figures
from vae_lightning.figures.traversals import pairs_of
from vae_lightning.training.train import train

ALWAYS = {"reconstructions", "extreme_reconstructions", "imputations", "samples", "nearest_images"}
POINTS = {"latent_space", "traversals", "traversals_animation", "interpolations"}
RATES = {"rate_per_latent"}
PROJECTIONS = {"latent_space_tsne"}
PLANE = {"manifold", "manifold_linear"}
CLASSES = {"class_swap", "class_traversals"}
CODES = {"latent_space", "code_usage"}
DENSITIES = {"aggregate_posterior"}  # only for the prior N(0, I)


def draw_all(ctx: FigureContext) -> dict[str, Figure | bytes]:
    """Draw all figures except UMAP, which may not be installed."""
    return dict(draw_figures(ctx, [name for name in FIGURES if name != "latent_space_umap"]))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model=vae"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS),
        (["model=vae", "model.latent_dim=2"], ALWAYS | POINTS | DENSITIES | RATES | PLANE),
        (["model=vae", "model.latent_dim=1"], ALWAYS | POINTS | DENSITIES | RATES),
        (["model=vae", "model.latent_dim=32"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS),
        (["model=ae"], ALWAYS | POINTS | DENSITIES | PROJECTIONS),
        (["model=wae", "model.latent_dim=2"], ALWAYS | POINTS | DENSITIES | PLANE),
        (["model=vq_vae", "model.latent_dim=8"], ALWAYS | PROJECTIONS | CODES),
        (["model=fsq_vae", "model.latent_dim=8"], ALWAYS | PROJECTIONS | CODES),
        (["model=lfq_vae", "model.latent_dim=20"], ALWAYS | PROJECTIONS | CODES),
        (["model=rvq_vae", "model.latent_dim=8"], ALWAYS | PROJECTIONS | CODES),
        (["model=hvae"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS),
        (["model=vdvae"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS | {"samples_by_temperature"}),
        (["model=iwae"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS),
        (["model=iaf_vae"], ALWAYS | POINTS | DENSITIES | PROJECTIONS),
        (["model=vmf_vae"], ALWAYS | POINTS | PROJECTIONS),
        (["model=hamiltonian_vae"], ALWAYS | POINTS | DENSITIES | PROJECTIONS),
        (["model=joint_vae", "model.latent_dim=14"], ALWAYS | POINTS | RATES | PROJECTIONS),
        (["model=joint_vae", "model.latent_dim=10"], ALWAYS | PROJECTIONS | {"latent_space", "interpolations"}),
        (["model=poincare_vae", "model.latent_dim=2"], ALWAYS | POINTS),
        (["model=gamma_vae", "model.latent_dim=2"], ALWAYS | POINTS),
        (["model=vamp_vae", "model.latent_dim=2"], ALWAYS | POINTS),
        (["model=cvae"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS | CLASSES),
        (["model=cvae", "model/prior=class_conditional"], ALWAYS | POINTS | RATES | PROJECTIONS | CLASSES),
        (
            ["model=cvae", "model.latent_dim=2"],
            ALWAYS | POINTS | DENSITIES | RATES | PLANE | CLASSES | {"class_manifolds"},
        ),
        (
            ["model=vq_vae", "model.latent_dim=4", "model.conditional=true"],
            ALWAYS | PROJECTIONS | CODES | {"class_swap"},
        ),
        (["model=vae", "data.image_shape=[3,8,8]"], ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS),
    ],
    ids=lambda words: " ".join(sorted(words)),  # a set has no order of its own
)
def test_draw_figures_yields_the_figures_that_apply_to_the_model(overrides, expected, small):
    ctx = FigureContext(build_model(small, *overrides), build_data(small, *overrides), "title")
    assert draw_all(ctx).keys() == expected


@pytest.mark.parametrize("attributes", [False, True])
def test_draw_figures_of_data_without_classes(attributes, small):
    """A model may be conditional on attributes, which are no classes."""
    overrides = [f"model.conditional={attributes}", f"data.num_classes={4 if attributes else 'null'}"]
    data = build_data(small)
    data.num_classes = 4 if attributes else None
    for name, (x, _) in data.splits.items():
        y = torch.randint(2, (len(x), 4), generator=torch.Generator().manual_seed(0)) if attributes else None
        data.splits[name] = Batch(x, y)
    drawn = draw_all(FigureContext(build_model(small, *overrides), data))
    expected = ALWAYS | POINTS | DENSITIES | RATES | PROJECTIONS
    assert drawn.keys() == (expected - {"interpolations"} if attributes else expected)
    assert drawn["latent_space"].axes[0].get_legend() is None


def pixels(figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array()


def test_reconstructions_of_red_images_are_drawn_in_red(small):
    data = build_data(small, "data.image_shape=[3,8,8]")
    for x, _ in data.splits.values():
        x[:, 1:] = 0
    ((_, figure),) = draw_figures(
        FigureContext(build_model(small, "data.image_shape=[3,8,8]"), data), ["reconstructions"]
    )
    first = pixels(figure)[:8]
    row = first[first.min(-1) < 1]  # without the white gaps
    assert row[:, 0].max() > 0.5
    assert row[:, 1:].max() == 0


def test_imputations_keep_the_upper_half_and_do_not_look_at_the_lower_one(small):
    model, data = build_model(small), build_data(small)
    grids = []
    for _ in range(2):
        ((_, figure),) = draw_figures(FigureContext(model, data), ["imputations"])
        grids.append(pixels(figure).squeeze())
        data.splits["val"].x[:, :, 4:] = 255
    assert grids[0].shape == (3 * 9 - 1, 10 * 9 - 1)
    np.testing.assert_array_equal(grids[0][9:13], grids[0][18:22])
    np.testing.assert_array_equal(grids[0][:17], grids[1][:17])
    assert grids[1][22:26].min() == 1


def test_nearest_images_of_a_model_that_copies_training_images(small, monkeypatch):
    """The rows below the samples are the training images that they were copied from, one column per class."""
    overrides = ["model=cvae", "data.num_classes=10"]
    model, data = build_model(small, *overrides), build_data(small, *overrides)
    x, y = data.splits["train"]
    drawn_labels = []

    def copy_images(n, labels, generator):
        drawn_labels.extend(labels.tolist())
        return torch.stack([x[(y == k).nonzero()[5, 0]] for k in labels]) / 255

    monkeypatch.setattr(model, "sample", copy_images)
    ((_, figure),) = draw_figures(FigureContext(model, data), ["nearest_images"])
    assert drawn_labels == [*range(10)] * 3
    grid = pixels(figure).squeeze()
    assert grid.shape == (6 * 9 - 1, 10 * 9 - 1)
    np.testing.assert_allclose(grid[9:17], grid[:8])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [str(k) for k in range(10)]


def test_interpolations_start_and_end_with_the_images_and_their_reconstructions(small):
    model, data = build_model(small), build_data(small)
    ((_, figure),) = draw_figures(FigureContext(model, data), ["interpolations"])
    batch = probe_images(data, 2)
    output = model.reconstruct(*batch)
    grid = pixels(figure).squeeze()
    for column, image in ((0, batch.x[0, 0] / 255), (1, output[0, 0]), (10, output[1, 0]), (11, batch.x[1, 0] / 255)):
        for row in (0, 1):  # linear, spherical
            drawn = grid[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            np.testing.assert_allclose(drawn, image.detach(), atol=2e-5)


def test_pairs_of_returns_one_pair_per_class_or_consecutive_pairs():
    y = torch.tensor([2, 0, 0, 1, 2, 2, 1])
    assert pairs_of(7, y).tolist() == [[1, 2], [3, 6], [0, 4]]
    assert pairs_of(7, None).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert pairs_of(1, None).tolist() == []
    assert pairs_of(2, torch.tensor([0, 1])).tolist() == []


def test_traversals_are_sorted_by_rate(small):
    """The KL of the three latents is set to 0.5, 0 and 8 nats."""
    model = build_model(small)
    with torch.no_grad():
        model.posterior.mu.weight.zero_()
        model.posterior.mu.bias.copy_(torch.tensor([1.0, 0.0, 4.0]))
        model.posterior.logvar.weight.zero_()
        model.posterior.logvar.bias.zero_()
    ((_, figure),) = draw_figures(FigureContext(model, build_data(small)), ["traversals"])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    minus = "\N{MINUS SIGN}"
    assert names == [
        "z₂  8.00 nats  [2.0, 6.0]",
        f"z₀  0.50 nats  [{minus}1.0, 3.0]",
        f"z₁  0.00 nats  [{minus}2.0, 2.0]",
    ]


@pytest.mark.parametrize(("means", "shown"), [([4, 1, 0.1, 0.05, 0], "3 of 5"), ([4, 1, 1, 0.6, 0.1], "4 of 5")])
def test_traversals_leave_out_latents_with_a_low_rate(means, shown, small):
    """The KL of a latent is half its squared mean."""
    model = build_model(small, "model.latent_dim=5")
    with torch.no_grad():
        for head, bias in ((model.posterior.mu, torch.tensor(means)), (model.posterior.logvar, torch.zeros(5))):
            head.weight.zero_()
            head.bias.copy_(bias)
    ((_, figure),) = draw_figures(FigureContext(model, build_data(small)), ["traversals"])
    assert len(figure.axes[0].get_yticklabels()) == int(shown[0])
    assert figure.get_suptitle().startswith(f"Traversals of {shown} latents, sorted by KL")


def test_draw_figures_skips_projections_of_a_model_with_nan_means(small):
    model = build_model(small)
    with torch.no_grad():
        model.posterior.mu.bias.fill_(math.nan)
    drawn = draw_all(FigureContext(model, build_data(small)))
    assert drawn.keys() >= ALWAYS
    assert not {"latent_space", "latent_space_tsne"} & drawn.keys()


def test_check_names_raises_an_error_before_training(small, monkeypatch):
    with pytest.raises(UserError, match=r"callbacks.figures.final=nope: no such figure. Choose from reconstructions, "):
        check_names("callbacks.figures.final", ["nope"])
    monkeypatch.setattr(registry, "has_umap", lambda: False)
    with pytest.raises(
        InstantiationException, match=r"latent_space_umap: requires umap-learn. Run pip install umap-learn"
    ):
        train(small("callbacks.figures.final=[latent_space_umap]"))


def test_traversals_of_positive_latents_start_at_zero(small):
    model = build_model(small, "model=gamma_vae")
    with torch.no_grad():
        model.posterior.log_mean.weight.mul_(20)  # means so different that two standard deviations exceed their mean
    ends = FigureContext(model, build_data(small)).ranges
    assert (ends[:, 0] == 0).all()
    assert (ends[:, 1] > 0).all()
