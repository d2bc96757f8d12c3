"""Figures that are grids of images."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.figures.style import new_figure, styled

GAP = 1  # pixels of white between two images


@styled
def image_grid(rows: Tensor, title: str, row_labels: Sequence[str] = ()) -> Figure:
    """Draw rows of images, all on one scale: black is 0, white is 1.

    Args:
        rows: (R, N, C, H, W) in [0, 1], C = 1 (grey) or 3 (RGB).
        title: above the grid.
        row_labels: R names, to the left of the rows; none by default.
    """
    n_rows, n_columns, channels, height, width = rows.shape
    padded = np.ones((channels, n_rows * (height + GAP) - GAP, n_columns * (width + GAP) - GAP), dtype=np.float32)
    for r, row in enumerate(rows.detach().float().cpu().numpy()):
        for c, image in enumerate(row):
            top, left = r * (height + GAP), c * (width + GAP)
            padded[:, top : top + height, left : left + width] = image

    inches = 6.0 / max(n_columns, n_rows)  # the side of one image
    figure = new_figure(inches * n_columns + 0.8 * bool(row_labels), inches * n_rows * height / width + 0.25)
    axes = figure.add_subplot()
    axes.imshow(padded.transpose(1, 2, 0).clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([r * (height + GAP) + height / 2 for r in range(len(row_labels))], row_labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


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


def samples(x: Tensor, title: str, classes: int | None = None) -> Figure:
    """Samples from the prior, in a square; for a conditional model one row a class.

    Args:
        x: (N, C, H, W) in [0, 1]; with classes, class by class.
        title: above the grid.
        classes: K, the number of rows of a conditional model; None for an unconditional one.
    """
    rows = classes or int(len(x) ** 0.5)
    return image_grid(x[: len(x) // rows * rows].unflatten(0, (rows, -1)), title, [str(k) for k in range(classes or 0)])
