"""Figures that are grids of images."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from vae_lightning.plotting.style import MARGIN, label_width, new_figure, styled

GAP = 1  # pixels of white between two images
WIDTH, HEIGHT = 6.0, 8.5  # inches: the most that a grid takes
LARGEST = 1.2  # inches: the width of one image
NARROWEST = 3.6  # inches: leaves room for a title
LABEL_HEIGHT, LABEL_GAP = 0.1, 0.08  # inches: of a line of labels, and between labels and grid


def mosaic(rows: Tensor) -> np.ndarray:
    """One picture of rows of images, with a gap in white between them.

    Args:
        rows: (R, N, C, H, W) in [0, 1], C = 1 (grey) or 3 (RGB).

    Returns:
        (R·(H+1) - 1, N·(W+1) - 1, C) in [0, 1].
    """
    padded = torch.nn.functional.pad(rows.detach().float().cpu(), (0, GAP, 0, GAP), value=1.0)
    picture = padded.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (R·(H+1), N·(W+1), C)
    return picture[:-GAP, :-GAP].clamp(0, 1).numpy()


def show(axes: Axes, rows: Tensor) -> AxesImage:
    """Draw rows of images (R, N, C, H, W) in [0, 1], all on one scale: black is 0, white is 1."""
    image = axes.imshow(mosaic(rows), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def centers(n: int, side: int) -> list[float]:
    """Where the middles of n images of a row are, or of a column, in the mosaic's pixels."""
    return [i * (side + GAP) + (side - 1) / 2 for i in range(n)]


def grid_size(rows: Tensor) -> tuple[float, float]:
    """The width and height in inches of a grid (R, N, C, H, W) that is as large as it may be."""
    n_rows, n_columns, _, height, width = rows.shape
    across, down = n_columns * (width + GAP) - GAP, n_rows * (height + GAP) - GAP
    scale = min(WIDTH / across, HEIGHT / down, LARGEST / width)
    return scale * across, scale * down


def grid_figure(rows: Tensor, title: str, left: float = 0, top: float = 0, bottom: float = 0) -> tuple[Figure, Axes]:
    """A figure, and in it axes just as large as the grid is, which an automatic layout does not give.

    Args:
        rows: (R, N, C, H, W).
        title: above the grid.
        left: inches to leave for labels; so `top` and `bottom`.
        top: between the grid and the title.
        bottom: below the grid.
    """
    width, height = grid_size(rows)
    figure = new_figure(max(left + width, NARROWEST) + 2 * MARGIN, top + height + bottom + 2 * MARGIN, title)
    figure.set_layout_engine("none")
    full_width, full_height = figure.get_size_inches()
    figure.suptitle(figure.get_suptitle(), y=1 - MARGIN / full_height)
    x, y = (full_width - width - left) / 2 + left, bottom + MARGIN
    return figure, figure.add_axes((x / full_width, y / full_height, width / full_width, height / full_height))


@styled
def image_grid(rows: Tensor, title: str, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()) -> Figure:
    """Rows of images.

    Args:
        rows: (R, N, C, H, W) in [0, 1], C = 1 (grey) or 3 (RGB).
        title: above the grid.
        row_labels: R names, to the left of the rows; none by default.
        column_labels: N names, above the columns; none by default.
    """
    return labelled_grid(rows, title, row_labels, column_labels)[0]


def labelled_grid(
    rows: Tensor, title: str, row_labels: Sequence[str], column_labels: Sequence[str]
) -> tuple[Figure, AxesImage]:
    """The figure of `image_grid`, and the image in it; labels too wide for their columns stand upright."""
    n_columns, _, height, width = rows.shape[1:]
    upright = label_width(column_labels) > 0.95 * grid_size(rows)[0] / n_columns
    top = (label_width(column_labels) if upright else LABEL_HEIGHT) + LABEL_GAP if column_labels else 0
    figure, axes = grid_figure(rows, title, label_width(row_labels) + LABEL_GAP if row_labels else 0, top)
    image = show(axes, rows)
    axes.xaxis.tick_top()
    axes.set_xticks(centers(len(column_labels), width), column_labels, rotation=90 * upright)
    axes.set_yticks(centers(len(row_labels), height), row_labels)
    axes.tick_params(length=0)
    return figure, image


def reconstructions(x: Tensor, x_hat: Tensor, title: str) -> Figure:
    """Inputs above their reconstructions.

    Args:
        x: (N, C, H, W) in [0, 1].
        x_hat: the same shape.
        title: above the grid.
    """
    columns = min(len(x), 10)
    rows = len(x) // columns
    pairs = torch.stack([t[: rows * columns].unflatten(0, (rows, columns)) for t in (x, x_hat)], dim=1)
    return image_grid(pairs.flatten(0, 1), title, ["input", "output"] * rows)


def samples(x: Tensor, title: str, class_names: Sequence[str] = ()) -> Figure:
    """Samples from the prior, in a square; for a conditional model one row a class (vae-cvae-mnist, Figure 7).

    Args:
        x: (N, C, H, W) in [0, 1]; with classes, class by class.
        title: above the grid.
        class_names: those of the rows of a conditional model.
    """
    rows = len(class_names) or int(len(x) ** 0.5)
    return image_grid(x[: len(x) // rows * rows].unflatten(0, (rows, -1)), title, class_names)
