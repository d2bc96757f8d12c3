"""Where the images lie in the latent space (vae-cvae-mnist, Figures 2 and 5)."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from vae_lightning.plotting.style import class_colors, label_width, new_figure, styled

SIDE = 4.2  # inches of a plane
MOST_NAMED, MOST_IN_LEGEND = 20, 60  # classes


def pca(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Means (N, D) to their first two principal components (N, 2), and the names of the axes."""
    from sklearn.decomposition import PCA

    model = PCA(n_components=2, svd_solver="full")
    with np.errstate(invalid="ignore"):  # a collapsed model has no variance to share out
        points = model.fit_transform(mu.cpu().double().numpy())
    shares = np.nan_to_num(model.explained_variance_ratio_)
    return points, [f"principal component {i} ({share:.0%} of the variance)" for i, share in enumerate(shares, 1)]


def tsne(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Means (N, D) to t-SNE's plane (N, 2), and the names of the axes. van der Maaten & Hinton 2008."""
    from sklearn.manifold import TSNE

    init = "pca" if (mu != mu[0]).any() else "random"  # a collapsed model has no axes to start from
    model = TSNE(perplexity=min(30.0, (len(mu) - 1) / 3), init=init, random_state=0)
    return model.fit_transform(mu.cpu().numpy()), ["t-SNE 1 (no unit)", "t-SNE 2 (no unit)"]


def has_umap() -> bool:
    """Whether the optional package is installed."""
    return find_spec("umap") is not None


def umap(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Means (N, D) to UMAP's plane (N, 2), and the names of the axes. McInnes et al. 2018."""
    from umap import UMAP

    return UMAP(random_state=0, n_jobs=1).fit_transform(mu.cpu().numpy()), ["UMAP 1 (no unit)", "UMAP 2 (no unit)"]


def as_it_is(mu: Tensor) -> tuple[np.ndarray, list[str]]:
    """Means (N, 1) or (N, 2) as they are, and the names of the axes; z is measured in the prior's σ."""
    return mu.cpu().numpy(), [f"mean of $z_{{{i}}}$ (in $\\sigma$ of N(0, 1))" for i in range(1, mu.shape[1] + 1)]


@styled
def scatter(
    points: np.ndarray, y: Tensor | None, title: str, axis_labels: Sequence[str], class_names: Sequence[str]
) -> Figure:
    """Points, coloured by class; in the middle of each class stands its name, which is legible without colours too.

    Args:
        points: (N, 2), or (N, 1): then the classes lie one above the other.
        y: classes, int64 (N,), or None for unlabelled data.
        title: above the figure.
        axis_labels: one a dimension, with the unit.
        class_names: K names; none for unlabelled data.
    """
    flat = points.shape[1] == 2
    labels = np.zeros(len(points), dtype=int) if y is None else y.cpu().numpy()
    figure = new_figure(SIDE + 0.8, SIDE if flat else 2.6, title)
    axes = figure.add_subplot(xlabel=axis_labels[0])
    if flat:
        axes.set_ylabel(axis_labels[1])
        axes.set_aspect("equal", adjustable="datalim")
    else:
        points = np.stack([points[:, 0], labels + np.random.default_rng(0).uniform(-0.35, 0.35, len(points))], axis=1)
        axes.set_yticks(range(len(class_names)), class_names)
        axes.set_ylabel("class" if class_names else "")
    colors = class_colors(max(1, len(class_names)))
    size = min(14, max(4, 6000 / len(points)))  # points², in the sense of typography
    order = np.random.default_rng(0).permutation(len(points))  # else the last class would hide the first
    axes.scatter(points[order, 0], points[order, 1], c=colors[labels[order]], s=size, alpha=0.7, linewidths=0)
    if flat and class_names:
        name_classes(axes, points, labels, class_names, colors)
    return figure


def name_classes(axes: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str], colors: np.ndarray) -> None:
    """A legend, and the name of each class, if they are few, at its median or as little above as keeps all legible."""
    present = [k for k in range(len(names)) if (labels == k).any()]
    middles = np.asarray([np.median(points[labels == k], axis=0) for k in present])
    inch = np.ptp(points, axis=0).max() / (SIDE - 0.7)  # in the units of the points
    boxes = [(inch * (label_width([names[k]]) * 1.3 + 0.05), inch * 0.14) for k in present]
    outline = [withStroke(linewidth=2, foreground="white")]
    for k, (x, y) in zip(present, apart(middles, np.asarray(boxes)), strict=True):
        axes.plot([], [], "o", color=colors[k], label=names[k], markersize=4)
        if len(names) <= MOST_NAMED:
            axes.text(x, y, names[k], weight="bold", ha="center", va="center", path_effects=outline)
    if len(names) <= MOST_IN_LEGEND:
        columns = -(-len(names) // MOST_NAMED)
        axes.legend(title="class", loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0, ncols=columns)


def apart(centers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The centers of boxes, (K, 2), moved upwards as little as keeps them from overlapping.

    Args:
        centers: where they would be, (K, 2).
        sizes: their widths and heights, (K, 2).
    """
    moved = centers.copy()
    lower: list[int] = []
    for k in np.argsort(centers[:, 1]):
        hit = True
        while hit:
            hit = False
            for other in lower:
                distance, room = np.abs(moved[k] - moved[other]), (sizes[k] + sizes[other]) / 2
                if (distance < room * 0.999).all():
                    moved[k, 1] = moved[other, 1] + room[1]
                    hit = True
        lower.append(int(k))
    return moved
