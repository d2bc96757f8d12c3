"""Figures that compare models."""

import numpy as np
import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def pixels(axes) -> np.ndarray:
    return axes.images[0].get_array().squeeze()


def test_compare_reconstructions_draws_one_row_per_model_below_the_images():
    x = torch.rand(4, 3, 5, 5)
    figure = plotting.compare_reconstructions(x, {"β = 1": x / 2, "β = 4": x / 4}, TITLE)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["input", "β = 1", "β = 4"]
    np.testing.assert_allclose(pixels(figure.axes[0])[12:17, 6:11], x[1].permute(1, 2, 0) / 4, atol=1e-6)
    assert_readable(figure)


@pytest.mark.parametrize("models", [1, 3, 4])
def test_compare_samples_draws_one_square_per_model(models):
    samples = {f"model {m}": torch.full((10, 1, 4, 4), m / 10) for m in range(models)}
    figure = plotting.compare_samples(samples, TITLE)
    assert [axes.get_title() for axes in figure.axes] == list(samples)
    for m, axes in enumerate(figure.axes):
        assert pixels(axes).shape == (14, 14)
        assert pixels(axes)[0, 0] == pytest.approx(m / 10)
    assert_readable(figure)


@pytest.mark.parametrize(("models", "grid"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)), (9, (3, 3))])
def test_compare_samples_leaves_few_places_empty(models, grid):
    figure = plotting.compare_samples({f"{m}": torch.rand(4, 1, 4, 4) for m in range(models)}, TITLE)
    assert {axes.get_subplotspec().get_gridspec().get_geometry() for axes in figure.axes} == {grid}


def test_compare_traversals_labels_features_models_and_ranges():
    strips = {m: torch.full((2, 7, 3, 8, 8), i / 10) for i, m in enumerate(("vae", "beta_tcvae"))}
    ends = {"vae": torch.tensor([[-2.0, 2.0], [-1.0, 1.0]]), "beta_tcvae": torch.tensor([[-3.0, 3.0], [0.0, 1.5]])}
    figure = plotting.compare_traversals(strips, ends, ["size", "position"], TITLE)
    top_left, top_right, bottom_left, bottom_right = figure.axes
    assert [axes.get_title() for axes in (top_left, top_right)] == ["vae", "beta_tcvae"]
    assert [axes.get_ylabel() for axes in (top_left, bottom_left)] == ["size", "position"]
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "[\N{MINUS SIGN}2.0, 2.0]",
        "[\N{MINUS SIGN}3.0, 3.0]",
        "[\N{MINUS SIGN}1.0, 1.0]",
        "[0.0, 1.5]",
    ]
    assert pixels(bottom_right)[0, 0, 0] == pytest.approx(0.1)
    assert_readable(figure)


def test_long_names_are_broken_into_lines():
    name = "prior_of = vae-mnist, prior = SecondStageVAE, trainer.max_epochs = 12, prior.hidden_dims = [512, 512]"
    x = torch.rand(10, 1, 28, 28)
    outputs = {f"{name}, seed = {seed}": x[:9] for seed in range(3)}
    assert_readable(plotting.compare_samples(outputs, "Samples"))
    assert_readable(plotting.compare_reconstructions(x[:9], outputs, "Reconstructions"))
