"""Latents decoded with every class."""

import numpy as np
import torch
from readable import assert_readable

from vae_lightning import plotting

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def test_class_swap_shows_source_images_beside_their_rows_only():
    sampled = torch.full((2, 3, 1, 1, 1), 0.5)
    sources, swapped = torch.zeros(1, 1, 1, 1), torch.full((1, 3, 1, 1, 1), 0.7)
    figure = plotting.class_swap(sampled, sources, swapped, ["a", "b", "c"], TITLE)
    pixels = figure.axes[0].images[0].get_array().squeeze()
    np.testing.assert_allclose(
        pixels[::2, ::2], [[1, 0.5, 0.5, 0.5], [1, 0.5, 0.5, 0.5], [0, 0.7, 0.7, 0.7]], atol=1e-6
    )
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["", "a", "b", "c"]
    assert_readable(figure)
