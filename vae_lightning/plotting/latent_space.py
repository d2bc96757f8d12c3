"""Scatter plots of the codes of images (vae-cvae-mnist, Figures 2 and 5)."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from vae_lightning.plotting.style import class_colors, label_width, latent_name, new_figure, styled

MIN_LINE = 0.3  # inches from a class name to its points, from which on they are joined by a line
PLANE_SIZE = 4.2  # inches
MAX_NAMED_CLASSES, MAX_LEGEND_CLASSES = 20, 60
COST = 40  # of covering points with a label, relative to its distance


def pca(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Project means (N, D) onto their first two principal components: points (N, 2) and axis labels."""
    from sklearn.decomposition import PCA

    model = PCA(n_components=2, svd_solver="full")
    with np.errstate(invalid="ignore"):  # the variance of a collapsed model is 0, and its ratios are 0 / 0
        points = model.fit_transform(mu.cpu().double().numpy())
    ratios = np.nan_to_num(model.explained_variance_ratio_)
    return points, [f"principal component {i} ({ratio:.0%} of the variance)" for i, ratio in enumerate(ratios, 1)]


def tsne(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Project means (N, D) by t-SNE (van der Maaten & Hinton 2008): points (N, 2) and axis labels."""
    from sklearn.manifold import TSNE

    init = "pca" if (mu != mu[0]).any() else "random"  # PCA is undefined for a collapsed model
    model = TSNE(perplexity=min(30.0, (len(mu) - 1) / 3), init=init, random_state=0)
    return model.fit_transform(mu.cpu().numpy()), ["t-SNE 1 (arbitrary units)", "t-SNE 2 (arbitrary units)"]


def has_umap() -> bool:
    """Return whether the optional package umap-learn is installed."""
    return find_spec("umap") is not None


def umap(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Project means (N, D) by UMAP (McInnes et al. 2018): points (N, 2) and axis labels."""
    from umap import UMAP

    points = UMAP(random_state=0, n_jobs=1).fit_transform(mu.cpu().numpy())
    return points, ["UMAP 1 (arbitrary units)", "UMAP 2 (arbitrary units)"]


def identity(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Return means (N, 1) or (N, 2) unchanged, and axis labels."""
    return mu.cpu().numpy(), [f"mean of {latent_name(i)}" for i in range(mu.shape[1])]


@styled
def scatter(
    points: np.ndarray, y: Tensor | None, title: str, axis_labels: Sequence[str], class_names: Sequence[str]
) -> Figure:
    """Plot points colored by class. Class names are drawn beside their points, so it is readable without colors.

    Args:
        points: (N, 2), or (N, 1), in which case each class has a row of its own.
        y: classes, int64 (N,), or None for unlabeled data.
        title: above the figure.
        axis_labels: one per dimension, with the unit.
        class_names: K names; none for unlabeled data.
    """
    is_plane = points.shape[1] == 2
    labels = np.zeros(len(points), dtype=int) if y is None else y.cpu().numpy()
    figure = new_figure(PLANE_SIZE + 0.8, PLANE_SIZE if is_plane else 2.6, title)
    axes = figure.add_subplot(xlabel=axis_labels[0])
    if is_plane:
        axes.set_ylabel(axis_labels[1])
        axes.set_aspect("equal", adjustable="datalim")
    else:
        points = np.stack([points[:, 0], labels + np.random.default_rng(0).uniform(-0.35, 0.35, len(points))], axis=1)
        axes.set_yticks(range(len(class_names)), class_names)
        axes.set_ylabel("class" if class_names else "")
    colors = class_colors(max(1, len(class_names)))
    size = min(14, max(4, 6000 / len(points)))  # the area of a marker, in typographic points²
    order = np.random.default_rng(0).permutation(len(points))  # in the order of classes, the last would hide the first
    axes.scatter(points[order, 0], points[order, 1], c=colors[labels[order]], s=size, alpha=0.7, linewidths=0)
    if is_plane and class_names:
        name_classes(axes, points, labels, class_names, colors)
    return figure


def name_classes(axes: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str], colors: np.ndarray) -> None:
    """Add a legend, and write the name of each class near its median, where it covers few points, with a line to it.

    Both are left out if there are too many classes.
    """
    present = [k for k in range(len(names)) if (labels == k).any()]
    for k in present:
        axes.plot([], [], "o", color=colors[k], label=names[k], markersize=4)
    if len(names) <= MAX_LEGEND_CLASSES:
        columns = -(-len(names) // MAX_NAMED_CLASSES)
        axes.legend(title="class", loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0, ncols=columns)
    if len(names) > MAX_NAMED_CLASSES:
        return
    medians = np.asarray([np.median(points[labels == k], axis=0) for k in present])
    inch = np.ptp(points, axis=0).max() / (PLANE_SIZE - 0.7)  # in data units
    sizes = [(inch * (label_width([names[k]]) * 1.3 + 0.05), inch * 0.17) for k in present]
    outline = [withStroke(linewidth=2, foreground=axes.get_facecolor())]
    for k, median, center in zip(present, medians, place_boxes(points, medians, np.asarray(sizes)), strict=True):
        if np.linalg.norm(center - median) > MIN_LINE * inch:  # a short line beside a number looks like a minus sign
            axes.plot(*np.stack([median, center]).T, color=rcParams["text.color"], linewidth=0.6, path_effects=outline)
        axes.text(
            center[0],
            center[1],
            names[k],
            weight="bold",
            ha="center",
            va="center",
            path_effects=outline,
        )


def place_boxes(points: np.ndarray, anchors: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the centers of boxes, (K, 2), near their anchors, so that they cover few points and do not overlap.

    The best of a grid of positions is chosen for one box after the other, by its distance from the anchor as a fraction
    of the extent, plus `COST` times the fraction of the points that it covers.

    Args:
        points: (N, 2).
        anchors: (K, 2).
        sizes: widths and heights, (K, 2).
    """
    grid = np.linspace(points.min(0), points.max(0), 60)
    extent = np.ptp(points, axis=0).max() or 1.0
    centers = np.empty_like(anchors, dtype=float)
    for k, (anchor, size) in enumerate(zip(anchors, sizes, strict=True)):
        positions = np.concatenate([anchor[None], grid])  # the positions along each axis, (61, 2)
        candidates = np.stack(np.meshgrid(*positions.T, indexing="ij"), axis=-1).reshape(-1, 2)
        inside_x, inside_y = (np.abs(positions - points[:, None]) < size / 2).astype(np.float32).transpose(2, 1, 0)
        covered = (inside_x @ inside_y.T).ravel() / len(points)  # the fraction of the points, (candidates,)
        cost = np.linalg.norm(candidates - anchor, axis=1) / extent + COST * covered
        gaps = np.abs(candidates[:, None] - centers[:k]) - (size + sizes[:k]) / 2  # (candidates, k, 2)
        cost[(gaps.max(2, initial=-np.inf) < 0).any(1)] = np.inf
        centers[k] = candidates[cost.argmin()]
    return centers
