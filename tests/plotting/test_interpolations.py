"""Interpolations, compared with hand-computed values."""

import numpy as np
import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting
from vae_lightning.plotting.interpolations import linear, spherical


@pytest.mark.parametrize("interpolate", [linear, spherical])
@pytest.mark.parametrize("d", [1, 2, 32])
def test_interpolation_includes_both_ends(interpolate, d):
    a, b = torch.randn(2, 3, d, generator=torch.Generator().manual_seed(0))
    z = interpolate(a, b, 10)
    assert z.shape == (3, 10, d)
    torch.testing.assert_close(z[:, 0], a)
    torch.testing.assert_close(z[:, -1], b)


def test_linear_has_equal_steps():
    z = linear(torch.zeros(1, 2), torch.tensor([[9.0, -9.0]]), 10)
    torch.testing.assert_close(z[0, :, 0], torch.arange(10.0))


def test_spherical_keeps_the_norm_and_turns_by_equal_angles():
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    z = spherical(a, b, 10)[0]
    torch.testing.assert_close(z.norm(dim=1), torch.full((10,), 3.0))
    torch.testing.assert_close(torch.atan2(z[:, 1], z[:, 0]), torch.linspace(0, torch.pi / 2, 10))
    assert linear(a, b, 3)[0, 1].norm() < 2.2  # linear interpolation does not keep the norm


def test_spherical_changes_the_norm_by_equal_steps():
    z = spherical(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 4.0]]), 4)[0]
    torch.testing.assert_close(z.norm(dim=1), torch.tensor([1.0, 2.0, 3.0, 4.0]))


def test_spherical_is_linear_for_parallel_directions():
    a = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    b = torch.tensor([[2.0, 2.0], [-1.0, -1.0], [1.0, 0.0]])
    torch.testing.assert_close(spherical(a, b, 5), linear(a, b, 5))


def test_interpolations_draws_the_images_at_both_ends():
    ends = torch.tensor([[0.1, 0.9], [0.2, 0.8]]).view(2, 2, 1, 1, 1)
    decoded = torch.linspace(0.3, 0.7, 10).view(1, 10, 1, 1, 1).expand(2, -1, -1, -1, -1)
    figure = plotting.interpolations(ends, {"linear": decoded, "spherical": 1 - decoded}, "title")
    pixels = figure.axes[0].images[0].get_array().squeeze()[::2, ::2]
    assert pixels.shape == (4, 12)
    np.testing.assert_allclose(pixels[:, 0], [0.1, 0.1, 0.2, 0.2], atol=1e-6)
    np.testing.assert_allclose(pixels[:, -1], [0.9, 0.9, 0.8, 0.8], atol=1e-6)
    np.testing.assert_allclose(pixels[2, 1:-1], torch.linspace(0.3, 0.7, 10), atol=1e-6)
    np.testing.assert_allclose(pixels[3, 1:-1], torch.linspace(0.7, 0.3, 10), atol=1e-6)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["linear", "spherical", "linear", "spherical"]
    assert_readable(figure)
