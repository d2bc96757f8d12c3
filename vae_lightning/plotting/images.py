"""Grids of images."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from vae_lightning.pixels import to_8_bit
from vae_lightning.plotting.style import MARGIN, gray, label_width, new_figure, styled

GAP = 1  # pixels of background between two images
MAX_WIDTH, MAX_HEIGHT = 6.0, 8.5  # inches: of a grid
MAX_IMAGE_WIDTH = 1.2  # inches: of one image
MIN_ROW_HEIGHT = 0.14  # inches: of one image, which is stretched if it is lower, such as a vector
MIN_FIGURE_WIDTH = 3.6  # inches: leaves room for the title
LABEL_HEIGHT, LABEL_GAP = 0.1, 0.08  # inches: of a line of labels, and between labels and grid


def displayable(x: Tensor) -> Tensor:
    """Return images (..., C, H, W) with 1 or 3 channels: of more the first three, and a black third one besides two."""
    channels = x.shape[-3]
    if channels in (1, 3):
        return x
    return torch.nn.functional.pad(x[..., :3, :, :], (0, 0, 0, 0, 0, max(0, 3 - channels)))


def mosaic(rows: Tensor) -> np.ndarray:
    """Join rows of images into one image, with gaps in the color of the background between them.

    Args:
        rows: (R, N, C, H, W) in [0, 1]; see `displayable`.

    Returns:
        (R·(H+1) - 1, N·(W+1) - 1, 1 or 3) in [0, 1].
    """
    rows = displayable(rows)
    padded = torch.nn.functional.pad(rows.detach().float().cpu(), (0, GAP, 0, GAP), value=float(gray(1)))
    joined = padded.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (R·(H+1), N·(W+1), C)
    return joined[:-GAP, :-GAP].clamp(0, 1).numpy()


def draw_mosaic(axes: Axes, rows: Tensor) -> AxesImage:
    """Draw rows of images (R, N, C, H, W) in [0, 1] on one scale: 0 is black, 1 is white."""
    image = axes.imshow(mosaic(rows), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def image_centers(n: int, size: int) -> list[float]:
    """Return the centers of n images along one axis of a mosaic, in pixels.

    Args:
        n: number of images.
        size: width or height of one image, in pixels.
    """
    return [i * (size + GAP) + (size - 1) / 2 for i in range(n)]


def grid_size(rows: Tensor) -> tuple[float, float]:
    """Return the width and height in inches of a grid (R, N, C, H, W), the largest within the limits."""
    n_rows, n_columns, _, height, width = rows.shape
    width_px, height_px = n_columns * (width + GAP) - GAP, n_rows * (height + GAP) - GAP
    scale = min(MAX_WIDTH / width_px, MAX_HEIGHT / height_px, MAX_IMAGE_WIDTH / width)
    return scale * width_px, max(scale * height_px, n_rows * MIN_ROW_HEIGHT)


def grid_figure(rows: Tensor, title: str, left: float = 0, top: float = 0, bottom: float = 0) -> tuple[Figure, Axes]:
    """Draw a grid in axes of exactly its size, which an automatic layout does not ensure.

    Args:
        rows: (R, N, C, H, W).
        title: above the grid.
        left: room for labels to the left of the grid, in inches.
        top: room between the grid and the title, in inches.
        bottom: room below the grid, in inches.
    """
    width, height = grid_size(rows)
    size = max(left + width, MIN_FIGURE_WIDTH) + 2 * MARGIN, top + height + bottom + 2 * MARGIN
    figure = new_figure(*size, title, automatic=False)
    full_width, full_height = figure.get_size_inches()
    figure.suptitle(figure.get_suptitle(), y=1 - MARGIN / full_height)
    x, y = (full_width - width - left) / 2 + left, bottom + MARGIN
    axes = figure.add_axes((x / full_width, y / full_height, width / full_width, height / full_height))
    draw_mosaic(axes, rows)
    axes.set_aspect("auto")  # that of the grid, unless low images are stretched
    return figure, axes


@styled
def image_grid(rows: Tensor, title: str, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()) -> Figure:
    """Draw rows of images.

    Args:
        rows: (R, N, C, H, W) in [0, 1], C = 1 (gray) or 3 (RGB).
        title: above the grid.
        row_labels: R labels, to the left of the rows; none by default.
        column_labels: N labels, above the columns; none by default.
    """
    return labeled_grid(rows, title, row_labels, column_labels)[0]


def labeled_grid(
    rows: Tensor, title: str, row_labels: Sequence[str], column_labels: Sequence[str], bottom_labels: Sequence[str] = ()
) -> tuple[Figure, AxesImage]:
    """Return the figure of `image_grid` and the image in it. Labels wider than their columns are drawn vertically.

    There may also be labels below the columns, which must not be wider.
    """
    n_columns, _, height, width = rows.shape[1:]
    vertical = label_width(column_labels) > 0.95 * grid_size(rows)[0] / n_columns
    top = (label_width(column_labels) if vertical else LABEL_HEIGHT) + LABEL_GAP if column_labels else 0
    bottom = LABEL_HEIGHT + LABEL_GAP if bottom_labels else 0
    figure, axes = grid_figure(rows, title, label_width(row_labels) + LABEL_GAP if row_labels else 0, top, bottom)
    axes.xaxis.tick_top()
    axes.set_xticks(image_centers(len(column_labels), width), column_labels, rotation=90 * vertical)
    axes.set_yticks(image_centers(len(row_labels), height), row_labels)
    axes.tick_params(length=0)
    for center, label in zip(image_centers(len(bottom_labels), width), bottom_labels, strict=True):
        axes.annotate(
            label, (center, 0), (0, -3), ("data", "axes fraction"), "offset points", ha="center", va="top", size=7
        )
    return figure, axes.images[0]


def reconstructions(x: Tensor, x_hat: Tensor, title: str) -> Figure:
    """Draw images above their reconstructions.

    Args:
        x: (N, C, H, W) in [0, 1].
        x_hat: the reconstructions, (N, C, H, W) in [0, 1].
        title: above the grid.
    """
    return paired_rows(x, x_hat, title, ("input", "output"))


@styled
def extreme_reconstructions(x: Tensor, x_hat: Tensor, nelbo: Tensor, title: str) -> Figure:
    """Draw the best reconstructions of a model in two rows, and the worst below them, with the nelbo of each.

    Args:
        x: images, (2N, C, H, W) in [0, 1], the best first.
        x_hat: the reconstructions, (2N, C, H, W) in [0, 1].
        nelbo: of each image, (2N,), in nats.
        title: above the grid.
    """
    n = len(x) // 2
    rows = torch.stack([images for part in range(2) for images in (x[part * n :][:n], x_hat[part * n :][:n])])
    names = [f"{value:.0f}".replace("-", "\N{MINUS SIGN}") for value in nelbo.tolist()]
    return labeled_grid(rows, title, ("best", "output", "worst", "output"), names[:n], names[n:])[0]


def paired_rows(
    above: Tensor, below: Tensor, title: str, row_names: tuple[str, str], column_labels: Sequence[str] = ()
) -> Figure:
    """Draw pairs of rows, with the images of one tensor above those of the other.

    Args:
        above: (N, C, H, W) in [0, 1].
        below: (N, C, H, W) in [0, 1].
        title: above the grid.
        row_names: labels of the two rows of each pair.
        column_labels: above the columns, whose number they set; by default there are at most ten, without labels.
    """
    columns = len(column_labels) or min(len(above), 10)
    rows = len(above) // columns
    pairs = torch.stack([t[: rows * columns].unflatten(0, (rows, columns)) for t in (above, below)], dim=1)
    return image_grid(pairs.flatten(0, 1), title, row_names * rows, column_labels)


def samples(x: Tensor, title: str, class_names: Sequence[str] = ()) -> Figure:
    """Draw samples in a square, or one row per class for a conditional model (vae-cvae-mnist, Figure 7).

    Args:
        x: (N, C, H, W) in [0, 1]. For a conditional model, sorted by class, with equally many per class.
        title: above the grid.
        class_names: labels of the rows of a conditional model.
    """
    rows = len(class_names) or int(len(x) ** 0.5)
    return image_grid(x[: len(x) // rows * rows].unflatten(0, (rows, -1)), title, class_names)


def sprite(x: Tensor) -> np.ndarray:
    """Arrange all images in a square, uint8 (S·H, S·W, 3), row by row; the rest is black."""
    side = math.ceil(len(x) ** 0.5)
    square = torch.zeros(side * side, 3, *x.shape[2:])
    square[: len(x)] = displayable(x).cpu()  # gray is repeated in all three channels
    picture = square.unflatten(0, (side, side)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    return to_8_bit(picture).numpy()
