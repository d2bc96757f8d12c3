"""Ways through the latent space by their values on paper: planes, traversals, interpolations."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from readable import assert_readable
from scipy.stats import norm

from vae_lightning import plotting
from vae_lightning.plotting.interpolations import linear, spherical
from vae_lightning.plotting.manifold import linear_values, plane, quantiles
from vae_lightning.plotting.traversals import ranges, row_names, traverse


def drawn(figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array().squeeze()


# ---------------------------------------------------------------- manifold


def test_quantiles_are_the_inverse_cdf_at_the_middles_of_equal_masses():
    np.testing.assert_allclose(quantiles(20), norm.ppf((np.arange(20) + 0.5) / 20), rtol=1e-5)
    assert quantiles(20)[[0, -1]].tolist() == pytest.approx([-1.959964, 1.959964], abs=1e-5)
    assert linear_values(7).tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_the_corners_of_a_plane_are_those_of_a_diagram():
    """z_1 to the right, z_2 upwards."""
    values = quantiles(4)
    low, high = values[0].item(), values[-1].item()
    z = plane(values).view(4, 4, 2)
    assert z[0, 0].tolist() == [low, high]
    assert z[0, 3].tolist() == [high, high]
    assert z[3, 0].tolist() == [low, low]
    assert z[3, 3].tolist() == [high, low]


@pytest.mark.parametrize("n", [4, 20])
def test_the_axes_of_a_manifold_say_where_its_images_are(n):
    values = quantiles(n)
    shade = plane(values)[:, 1].view(-1, 1, 1, 1).sigmoid().expand(-1, 1, 3, 3)  # as bright as z_2 is high
    figure = plotting.manifold(shade, values, "title")
    axes = figure.axes[0]
    assert_readable(figure)
    assert len(axes.get_xticks()) <= 10
    for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        z_2 = float(label.get_text().replace("\N{MINUS SIGN}", "-"))
        assert drawn(figure)[round(place), 0] == pytest.approx(torch.sigmoid(torch.tensor(z_2)).item(), abs=2e-3)
    across = [float(label.get_text().replace("\N{MINUS SIGN}", "-")) for label in axes.get_xticklabels()]
    assert across == sorted(across)
    assert across[0] == pytest.approx(values[0].item(), abs=0.01)


# ---------------------------------------------------------------- traversals


def test_ranges_are_two_standard_deviations_of_the_aggregate_posterior():
    """Of points at 0 and 2 with σ² = 3 the mean is 1 and the variance 1 + 3."""
    mu, logvar = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [3.0]]).log()
    assert ranges(mu, logvar)[0].tolist() == pytest.approx([-3, 5])
    assert ranges(mu, None)[0].tolist() == pytest.approx([-1, 3])


def test_a_collapsed_latent_goes_through_the_priors_range():
    assert ranges(torch.zeros(5, 1), torch.zeros(5, 1))[0].tolist() == [-2, 2]


def test_a_traversal_changes_one_latent_and_ends_at_its_ends():
    z = torch.tensor([10.0, 20.0, 30.0])
    rows = traverse(z, torch.tensor([2, 0]), torch.tensor([[-1.0, 1.0], [-2.0, 4.0]]), 4)
    assert rows[0, :, 2].tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert rows[1, :, 0].tolist() == pytest.approx([-2, 0, 2, 4], abs=1e-6)
    assert (rows[0, :, :2] == z[:2]).all()
    assert (rows[1, :, 1:] == z[1:]).all()
    assert z.tolist() == [10, 20, 30]


def test_rows_are_named_after_latent_rate_and_range():
    latents, ends = torch.tensor([4, 0]), torch.tensor([[-2.04, 1.0], [0.0, 0.04]])
    assert row_names(latents, ends, torch.tensor([1.234, 0.0])) == [
        "$z_{5}$  1.23 nats  [\N{MINUS SIGN}2.0, 1.0]",
        "$z_{1}$  0.00 nats  [0.0, 0.0]",
    ]
    assert row_names(latents[:1], ends[:1], None) == ["$z_{5}$  [\N{MINUS SIGN}2.0, 1.0]"]


def test_an_animation_goes_there_and_back_and_shows_its_frames():
    frames = torch.linspace(0, 1, 4).view(4, 1, 1, 1, 1, 1).expand(4, 1, 2, 1, 8, 8)
    gif = Image.open(BytesIO(plotting.animation(frames, "title", column_labels=["a", "b"])))
    assert gif.n_frames == 6
    assert gif.info["loop"] == 0
    middle = []
    for frame in range(gif.n_frames):
        gif.seek(frame)
        grey = np.asarray(gif.convert("L"))
        middle.append(grey[grey.shape[0] * 3 // 4, grey.shape[1] // 2 - 30] / 255)
    assert middle == pytest.approx([0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], abs=0.02)


# ---------------------------------------------------------------- interpolations


@pytest.mark.parametrize("way", [linear, spherical])
@pytest.mark.parametrize("d", [1, 2, 32])
def test_ways_begin_and_end_where_they_should(way, d):
    a, b = torch.randn(2, 3, d, generator=torch.Generator().manual_seed(0))
    z = way(a, b, 10)
    assert z.shape == (3, 10, d)
    torch.testing.assert_close(z[:, 0], a)
    torch.testing.assert_close(z[:, -1], b)


def test_the_straight_way_is_even():
    z = linear(torch.zeros(1, 2), torch.tensor([[9.0, -9.0]]), 10)
    torch.testing.assert_close(z[0, :, 0], torch.arange(10.0))


def test_an_arc_keeps_the_norm_and_turns_evenly():
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    z = spherical(a, b, 10)[0]
    torch.testing.assert_close(z.norm(dim=1), torch.full((10,), 3.0))
    torch.testing.assert_close(torch.atan2(z[:, 1], z[:, 0]), torch.linspace(0, torch.pi / 2, 10))
    assert linear(a, b, 3)[0, 1].norm() < 2.2  # which the straight way does not


def test_an_arc_between_different_norms_changes_them_evenly():
    z = spherical(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 4.0]]), 4)[0]
    torch.testing.assert_close(z.norm(dim=1), torch.tensor([1.0, 2.0, 3.0, 4.0]))


def test_where_there_is_no_arc_the_way_is_straight():
    a = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    b = torch.tensor([[2.0, 2.0], [-1.0, -1.0], [1.0, 0.0]])
    torch.testing.assert_close(spherical(a, b, 5), linear(a, b, 5))


def test_interpolations_stand_between_the_real_images():
    ends = torch.tensor([[0.1, 0.9], [0.2, 0.8]]).view(2, 2, 1, 1, 1)
    way = torch.linspace(0.3, 0.7, 10).view(1, 10, 1, 1, 1).expand(2, -1, -1, -1, -1)
    figure = plotting.interpolations(ends, {"linear": way, "spherical": 1 - way}, "title")
    pixels = drawn(figure)[::2, ::2]
    assert pixels.shape == (4, 12)
    np.testing.assert_allclose(pixels[:, 0], [0.1, 0.1, 0.2, 0.2], atol=1e-6)
    np.testing.assert_allclose(pixels[:, -1], [0.9, 0.9, 0.8, 0.8], atol=1e-6)
    np.testing.assert_allclose(pixels[2, 1:-1], torch.linspace(0.3, 0.7, 10), atol=1e-6)
    np.testing.assert_allclose(pixels[3, 1:-1], torch.linspace(0.7, 0.3, 10), atol=1e-6)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["linear", "spherical", "linear", "spherical"]
    assert_readable(figure)
