"""The decoded plane of two latents, compared with hand-computed values."""

import numpy as np
import pytest
import torch
from readable import assert_readable
from scipy.stats import norm

from vae_lightning import plotting
from vae_lightning.plotting.manifold import linear_values, plane, quantiles


def test_quantiles_are_the_inverse_cdf_at_the_midpoints_of_equal_masses():
    np.testing.assert_allclose(quantiles(20), norm.ppf((np.arange(20) + 0.5) / 20), rtol=1e-5)
    assert quantiles(20)[[0, -1]].tolist() == pytest.approx([-1.959964, 1.959964], abs=1e-5)
    assert linear_values(7).tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_plane_is_oriented_like_a_diagram():
    """z_1 rises to the right, z_2 upward."""
    values = quantiles(4)
    low, high = values[0].item(), values[-1].item()
    z = plane(values).view(4, 4, 2)
    assert z[0, 0].tolist() == [low, high]
    assert z[0, 3].tolist() == [high, high]
    assert z[3, 0].tolist() == [low, low]
    assert z[3, 3].tolist() == [high, low]


@pytest.mark.parametrize("n", [4, 20])
def test_manifold_labels_axes_with_the_values_of_its_images(n):
    values = quantiles(n)
    images = plane(values)[:, 1].view(-1, 1, 1, 1).sigmoid().expand(-1, 1, 3, 3)  # brightness grows with z_2
    figure = plotting.manifold(images, values, "title")
    axes = figure.axes[0]
    assert_readable(figure)
    assert len(axes.get_xticks()) <= 10
    pixels = axes.images[0].get_array().squeeze()
    for position, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        z_2 = float(label.get_text().replace("\N{MINUS SIGN}", "-"))
        assert pixels[round(position), 0] == pytest.approx(torch.sigmoid(torch.tensor(z_2)).item(), abs=2e-3)
    z_1 = [float(label.get_text().replace("\N{MINUS SIGN}", "-")) for label in axes.get_xticklabels()]
    assert z_1 == sorted(z_1)
    assert z_1[0] == pytest.approx(values[0].item(), abs=0.01)
