"""The search for the nearest training images, and their figure."""

import numpy as np
import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting
from vae_lightning.plotting import nearest


@pytest.mark.parametrize("chunk_values", [1, 5 * 48, 10**6])
def test_nearest_indices_equal_those_of_all_distances_in_float64(chunk_values, monkeypatch):
    monkeypatch.setattr(nearest, "CHUNK_VALUES", chunk_values)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (23, 3, 4, 4), generator=generator, dtype=torch.uint8)
    x = torch.rand(30, 3, 4, 4, generator=generator)
    distances = torch.cdist(x.double().flatten(1), images.flatten(1).double() / 255)
    assert torch.equal(nearest.nearest_indices(x, images), distances.argmin(1))
    assert nearest.nearest_indices(images.flip(0) / 255, images).tolist() == [*range(22, -1, -1)]


def test_nearest_images_are_drawn_below_the_samples():
    x = torch.linspace(0, 1, 6).view(6, 1, 1, 1)
    figure = plotting.nearest_images(x, 1 - x, "title", ["cat", "dog", "owl"])
    pixels = figure.axes[0].images[0].get_array().squeeze()[::2, ::2]
    expected = torch.stack([x[:3], 1 - x[:3], x[3:], 1 - x[3:]]).view(4, 3)
    np.testing.assert_allclose(pixels, expected, atol=1e-6)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["sample", "nearest", "sample", "nearest"]
    assert_readable(figure)
