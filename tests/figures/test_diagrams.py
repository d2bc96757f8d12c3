"""Curves, bars, heat maps and scatters: the numbers that are drawn, and that they can be read."""

import gc
import sys
import tracemalloc

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from readable import assert_readable

from vae_lightning import plotting
from vae_lightning.plotting import style
from vae_lightning.plotting.curves import warmup_spans
from vae_lightning.plotting.latent_space import apart, as_it_is, pca, tsne

NAMES = [str(k) for k in range(10)]
TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


# ---------------------------------------------------------------- curves


def epochs(n: int, warmup: int = 0) -> dict[int, dict[str, float]]:
    return {
        1000 * e: {
            "distortion": 200 / e,
            "rate": 2.0 * e,
            "recon_kl_ratio": 100 / e**2,
            "warmup": min(1, e / (warmup or 1)),
        }
        for e in range(1, n + 1)
    }


def test_curves_are_drawn_against_the_images_seen():
    train, val = epochs(3), {2000: {"rate": 7.0, "distortion": 110.0}}
    figure = plotting.training_curves(train, val, TITLE)
    distortion, rate, ratio = figure.axes
    assert rate.lines[0].get_xydata().tolist() == [[1000, 2], [2000, 4], [3000, 6]]
    assert rate.lines[1].get_xydata().tolist() == [[2000, 7]]
    assert len(ratio.lines) == 1
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats per image", "nats per image", "no unit"]
    assert [text.get_text() for text in distortion.get_legend().get_texts()] == ["train", "val"]
    assert_readable(figure)


def test_an_autoencoder_has_one_curve():
    train = {x: {"distortion": metrics["distortion"]} for x, metrics in epochs(4).items()}
    figure = plotting.training_curves(train, {}, TITLE)
    assert [axes.get_title() for axes in figure.axes] == ["distortion"]
    assert_readable(figure)


def test_the_warm_up_is_shaded_until_the_epoch_of_full_weight():
    """Linear over ten epochs, the factor is 1 in the tenth."""
    assert list(warmup_spans(epochs(30, warmup=10))) == [(0, 9000)]
    figure = plotting.training_curves(epochs(30, warmup=10), {}, TITLE)
    for axes in figure.axes:
        assert [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches] == [(0, 9000)]
    assert not plotting.training_curves(epochs(3), {}, TITLE).axes[0].patches


def test_each_cycle_and_a_warm_up_that_lasts_are_shaded():
    factors = [0.5, 1, 0.5, 0.9]
    assert list(warmup_spans({10 * e: {"warmup": w} for e, w in enumerate(factors, 1)})) == [(0, 10), (20, 40)]


@pytest.mark.parametrize("n", [1, 300])
def test_few_and_many_epochs_are_readable(n):
    train = {55_000 * e: metrics for e, metrics in enumerate(epochs(n).values(), 1)}
    assert_readable(plotting.training_curves(train, train, TITLE))


# ---------------------------------------------------------------- rates


def test_bars_stand_in_the_order_of_their_rates_and_inactive_ones_are_marked():
    rates, active = torch.tensor([0.5, 3.0, 0.0, 1.0]), torch.tensor([True, True, False, True])
    axes = plotting.rate_per_latent(rates, active, TITLE).axes[0]
    on, off = axes.containers
    assert [bar.get_height() for bar in on] == [3.0, 1.0, 0.5]
    assert [bar.get_x() + bar.get_width() / 2 for bar in off] == [3]
    assert [bar.get_hatch() for bar in off] == ["////"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$z_{2}$", "$z_{4}$", "$z_{1}$", "$z_{3}$"]
    assert [label.get_color() for label in axes.get_xticklabels()] == ["black"] * 3 + ["0.6"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["active (3)", "inactive (1)"]


@pytest.mark.parametrize("d", [1, 2, 10, 32, 200])
def test_rates_of_few_and_many_latents_are_readable(d):
    rates = torch.linspace(0, 5, d)
    assert_readable(plotting.rate_per_latent(rates, rates > 1, TITLE))
    assert_readable(plotting.rate_history({55_000 * e: (rates * e).tolist() for e in range(1, 31)}, TITLE))


def test_the_heat_map_has_a_row_a_latent_and_a_column_an_epoch():
    axes = plotting.rate_history({200: [3.0, 4.0, 5.0], 100: [0.0, 1.0, 2.0]}, TITLE).axes[0]
    mesh = axes.collections[0]
    assert mesh.get_array().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 100, 200]
    assert mesh.get_clim() == (0, 5)
    assert axes.yaxis_inverted()  # z_1 on top
    assert axes.get_yticklabels()[0].get_text() == "$z_{1}$"


# ---------------------------------------------------------------- latent space


def test_each_point_has_the_colour_of_its_class():
    points, y = np.random.default_rng(0).normal(size=(200, 2)), torch.arange(200) % 10
    figure = plotting.scatter(points, y, TITLE, ["first", "second"], NAMES)
    drawn = figure.axes[0].collections[0]
    where = {tuple(point): k for point, k in zip(points, y.tolist(), strict=True)}
    for point, color in zip(drawn.get_offsets(), drawn.get_facecolors(), strict=True):
        assert color[:3] == pytest.approx(style_colors()[where[tuple(point)]])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == NAMES
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("first", "second")


@style.styled
def style_colors() -> np.ndarray:
    return style.class_colors(10)


def test_classes_are_named_at_their_medians():
    y = torch.arange(30) % 3
    points = np.stack([np.repeat([[0, 10, 20]], 10, 0).ravel(), np.zeros(30)], axis=1)
    texts = plotting.scatter(points, y, TITLE, ["a", "b"], ["x", "y", "z"]).axes[0].texts
    assert {text.get_text(): text.get_position() for text in texts} == {"x": (0, 0), "y": (10, 0), "z": (20, 0)}


@pytest.mark.parametrize("k", [1, 2, 10, 40])
@pytest.mark.parametrize("name", ["{}", "Ankle boot {}"])
def test_classes_that_lie_over_each_other_are_readable(k, name):
    points, y = np.random.default_rng(0).normal(size=(400, 2)), torch.arange(400) % k
    assert_readable(plotting.scatter(points, y, TITLE, ["a", "b"], [name.format(i) for i in range(k)]))


def test_names_move_upwards_and_only_as_far_as_they_must():
    centers, sizes = np.array([[0.0, 0.0], [0.1, 0.2], [5.0, 0.0]]), np.ones((3, 2))
    np.testing.assert_allclose(apart(centers, sizes), [[0, 0], [0.1, 1], [5, 0]])


def test_one_dimension_is_drawn_class_above_class():
    points, y = np.linspace(-1, 1, 20)[:, None], torch.arange(20) % 2
    figure = plotting.scatter(points, y, TITLE, ["z"], ["cat", "dog"])
    offsets = figure.axes[0].collections[0].get_offsets()
    assert sorted(offsets[:, 0]) == pytest.approx(points[:, 0].tolist())
    assert {round(height) for height in offsets[:, 1]} == {0, 1}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat", "dog"]
    assert_readable(figure)


@pytest.mark.parametrize("d", [1, 2])
def test_unlabelled_points_have_one_colour_and_no_legend(d):
    axes = plotting.scatter(np.random.rand(9, d), None, TITLE, ["a", "b"], []).axes[0]
    assert len(np.unique(axes.collections[0].get_facecolors(), axis=0)) == 1
    assert axes.get_legend() is None


def test_the_palettes_ten_colours_differ_and_more_classes_have_as_many():
    assert len(np.unique(style_colors(), axis=0)) == 10
    assert style_colors()[0] == pytest.approx(to_rgb("#3f90da"))
    assert len(np.unique(style.class_colors(40), axis=0)) == 40


def test_pca_finds_the_plane_that_the_points_lie_in():
    noise = torch.Generator().manual_seed(0)
    plane = torch.randn(300, 2, generator=noise) * torch.tensor([3.0, 1.0])
    points, names = pca(plane @ torch.linalg.qr(torch.randn(6, 6, generator=noise))[0][:2])
    np.testing.assert_allclose(np.abs(np.corrcoef(points.T, plane.T)[:2, 2:]), np.eye(2), atol=0.1)
    shares = [int(name.split("(")[1].split("%")[0]) for name in names]
    assert shares[0] > shares[1]
    assert sum(shares) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("plane", [pca, tsne])
def test_a_collapsed_model_still_has_its_plane(plane):
    points, names = plane(torch.ones(40, 5))
    assert points.shape == (40, 2)
    assert np.isfinite(points).all()
    assert not any("nan" in name for name in names)


def test_tsne_keeps_far_clusters_apart_without_the_training_s_random_numbers():
    mu = torch.cat([torch.randn(20, 5), 30 + torch.randn(20, 5)])
    state = np.random.get_state()[1].copy()
    points, names = tsne(mu)
    assert (np.random.get_state()[1] == state).all()
    assert len(names) == 2
    spread = max(points[:20].std(), points[20:].std())
    assert np.linalg.norm(points[:20].mean(0) - points[20:].mean(0)) > 2 * spread
    np.testing.assert_array_equal(points, tsne(mu)[0])


def test_few_dimensions_are_drawn_as_they_are():
    mu = torch.randn(5, 2)
    points, names = as_it_is(mu)
    np.testing.assert_array_equal(points, mu)
    assert names[1].startswith("mean of $z_{2}$")


# ---------------------------------------------------------------- classes, comparisons


def pixels(axes) -> np.ndarray:
    return axes.images[0].get_array().squeeze()


def test_a_class_swap_has_no_image_beside_draws_and_the_source_beside_styles():
    drawn, sources, swapped = (
        torch.full((2, 3, 1, 1, 1), 0.5),
        torch.zeros(1, 1, 1, 1),
        torch.full((1, 3, 1, 1, 1), 0.7),
    )
    figure = plotting.class_swap(drawn, sources, swapped, ["a", "b", "c"], TITLE)
    np.testing.assert_allclose(
        pixels(figure.axes[0])[::2, ::2], [[1, 0.5, 0.5, 0.5], [1, 0.5, 0.5, 0.5], [0, 0.7, 0.7, 0.7]], atol=1e-6
    )
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["", "a", "b", "c"]
    assert_readable(figure)


def test_compared_reconstructions_stand_below_the_images():
    x = torch.rand(4, 3, 5, 5)
    figure = plotting.compare_reconstructions(x, {"β = 1": x / 2, "β = 4": x / 4}, TITLE)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["input", "β = 1", "β = 4"]
    np.testing.assert_allclose(pixels(figure.axes[0])[12:17, 6:11], x[1].permute(1, 2, 0) / 4, atol=1e-6)
    assert_readable(figure)


@pytest.mark.parametrize("models", [1, 3, 4])
def test_compared_samples_are_a_square_a_model(models):
    samples = {f"model {m}": torch.full((10, 1, 4, 4), m / 10) for m in range(models)}
    figure = plotting.compare_samples(samples, TITLE)
    assert [axes.get_title() for axes in figure.axes] == list(samples)
    for m, axes in enumerate(figure.axes):
        assert pixels(axes).shape == (14, 14)
        assert pixels(axes)[0, 0] == pytest.approx(m / 10)
    assert_readable(figure)


def test_compared_traversals_are_features_by_models_with_their_ranges():
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


# ---------------------------------------------------------------- what a figure leaves


def test_a_thousand_figures_do_not_grow_the_memory():
    """As seen on a hundred: nothing holds a figure that has been drawn, pyplot does not know it."""
    rates, rows = torch.rand(4), torch.rand(2, 2, 1, 4, 4)

    def draw(n: int) -> None:
        for _ in range(n):
            plotting.image_grid(rows, TITLE)
            plotting.rate_per_latent(rates, rates > 0.5, TITLE)

    def left() -> int:
        tracemalloc.start()
        draw(50)
        gc.collect()
        bytes_left, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return bytes_left

    draw(10)
    # One figure alone is more than half of it. What is held grows each time; what a cache takes is taken once.
    assert min(left(), left()) < 200_000
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()


def test_the_style_ends_with_the_figure():
    before = matplotlib.rcParams["font.size"]
    plotting.image_grid(torch.rand(1, 1, 1, 2, 2), TITLE)
    assert matplotlib.rcParams["font.size"] == before == 10
