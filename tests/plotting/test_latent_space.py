"""Scatter plots of codes, and the projections onto a plane."""

import sys

import numpy as np
import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting
from vae_lightning.plotting import style
from vae_lightning.plotting.latent_space import MIN_LINE, PLANE_SIZE, identity, pca, place_boxes, tsne, umap

NAMES = [str(k) for k in range(10)]
TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def test_scatter_colors_points_by_class():
    points, y = np.random.default_rng(0).normal(size=(200, 2)), torch.arange(200) % 10
    figure = plotting.scatter(points, y, TITLE, ["first", "second"], NAMES)
    drawn = figure.axes[0].collections[0]
    class_of = {tuple(point): k for point, k in zip(points, y.tolist(), strict=True)}
    colors = style.styled(style.class_colors)(10)
    for point, color in zip(drawn.get_offsets(), drawn.get_facecolors(), strict=True):
        assert color[:3] == pytest.approx(colors[class_of[tuple(point)]])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == NAMES
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("first", "second")


def test_scatter_names_classes_near_their_medians_with_lines_to_distant_names():
    y = torch.arange(6000) % 3
    clouds = np.random.default_rng(0).normal(size=(6000, 2)) * [[8.0, 8.0]]
    points = clouds + np.stack([30 * (y == 2), 0 * y], axis=1)
    axes = plotting.scatter(points, y, TITLE, ["a", "b"], ["x", "y", "z"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["x", "y", "z"]
    lines = {tuple(end): start for start, end in (line.get_xydata() for line in axes.lines if len(line.get_xdata()))}
    assert lines
    shortest = MIN_LINE * np.ptp(points, axis=0).max() / (PLANE_SIZE - 0.7)
    for k, text in enumerate(axes.texts):
        median = np.median(points[y == k], axis=0)
        distance = np.linalg.norm(np.asarray(text.get_position()) - median)
        assert (text.get_position() in lines) == (distance > shortest)
        if text.get_position() in lines:
            np.testing.assert_allclose(lines[text.get_position()], median)


@pytest.mark.parametrize("k", [1, 2, 10, 40])
@pytest.mark.parametrize("name", ["{}", "Ankle boot {}"])
def test_scatter_is_readable_for_overlapping_classes(k, name):
    points, y = np.random.default_rng(0).normal(size=(400, 2)), torch.arange(400) % k
    assert_readable(plotting.scatter(points, y, TITLE, ["a", "b"], [name.format(i) for i in range(k)]))


def test_place_boxes_keeps_boxes_where_they_cover_nothing_and_moves_the_others_aside():
    cloud = np.random.default_rng(0).normal(size=(2000, 2)) * 0.3
    points = np.concatenate([cloud, [[-4.0, -4.0], [4.0, 4.0]]])
    anchors, sizes = np.array([[0.0, 0.0], [3.0, 0.0], [3.1, 0.1]]), np.ones((3, 2))
    centers = place_boxes(points, anchors, sizes)
    np.testing.assert_array_equal(centers[1], anchors[1])
    covered = (np.abs(points - centers[0]) < 0.5).all(1)
    assert covered.sum() < 20 < (np.abs(points) < 0.5).all(1).sum()
    assert 0.5 < np.linalg.norm(centers[0]) < 2
    assert np.abs(centers[2] - centers[1]).max() >= 1


def test_scatter_of_one_dimension_has_one_row_per_class():
    points, y = np.linspace(-1, 1, 20)[:, None], torch.arange(20) % 2
    figure = plotting.scatter(points, y, TITLE, ["z"], ["cat", "dog"])
    offsets = figure.axes[0].collections[0].get_offsets()
    assert sorted(offsets[:, 0]) == pytest.approx(points[:, 0].tolist())
    assert {round(height) for height in offsets[:, 1]} == {0, 1}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat", "dog"]
    assert_readable(figure)


@pytest.mark.parametrize("d", [1, 2])
def test_scatter_of_unlabeled_data_has_one_color_and_no_legend(d):
    axes = plotting.scatter(np.random.rand(9, d), None, TITLE, ["a", "b"], []).axes[0]
    assert len(np.unique(axes.collections[0].get_facecolors(), axis=0)) == 1
    assert axes.get_legend() is None


def test_pca_finds_the_plane_of_the_points():
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(300, 2, generator=generator) * torch.tensor([3.0, 1.0])
    points, names = pca(plane @ torch.linalg.qr(torch.randn(6, 6, generator=generator))[0][:2])
    np.testing.assert_allclose(np.abs(np.corrcoef(points.T, plane.T)[:2, 2:]), np.eye(2), atol=0.1)
    percentages = [int(name.split("(")[1].split("%")[0]) for name in names]
    assert percentages[0] > percentages[1]
    assert sum(percentages) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("project", [pca, tsne])
def test_projection_of_a_collapsed_model_is_finite(project):
    points, names = project(torch.ones(40, 5))
    assert points.shape == (40, 2)
    assert np.isfinite(points).all()
    assert not any("nan" in name for name in names)


def test_tsne_separates_clusters_and_leaves_the_global_random_state():
    mu = torch.cat([torch.randn(20, 5), 30 + torch.randn(20, 5)])
    state = np.random.get_state()[1].copy()
    points, names = tsne(mu)
    assert (np.random.get_state()[1] == state).all()
    assert len(names) == 2
    spread = max(points[:20].std(), points[20:].std())
    assert np.linalg.norm(points[:20].mean(0) - points[20:].mean(0)) > 2 * spread
    np.testing.assert_array_equal(points, tsne(mu)[0])


def test_umap_projects_with_the_optional_package(monkeypatch):
    class FakeUMAP:
        def __init__(self, **_):
            pass

        def fit_transform(self, mu):
            return mu[:, :2] * 2

    monkeypatch.setitem(sys.modules, "umap", type("umap", (), {"UMAP": FakeUMAP}))
    points, names = umap(torch.ones(4, 5))
    assert points.tolist() == [[2, 2]] * 4
    assert names[0].startswith("UMAP 1")


def test_identity_returns_the_means():
    mu = torch.randn(5, 2)
    points, names = identity(mu)
    np.testing.assert_array_equal(points, mu)
    assert names[1].startswith("mean of z₁")
