"""The decoded plane of a two-dimensional latent space."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import GAP, draw_mosaic, grid_figure, image_centers
from vae_lightning.plotting.style import format_number, label_width, latent_name, new_figure, styled

PANEL_WIDTH, MAX_COLUMNS = 1.7, 5  # inches, and panels side by side


def quantiles(n: int) -> Tensor:
    """Return n values of z, (n,), spaced evenly in the mass of N(0, 1): its inverse CDF at `probabilities(n)`.

    kingma-welling-replication, Figure 4; Kingma & Welling 2014, appendix A.
    """
    return torch.special.ndtri(probabilities(n)).float()


def probabilities(n: int) -> Tensor:
    """Return (i + ½) / n for i = 0, ..., n - 1, (n,) in double precision."""
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n


def linear_values(n: int) -> Tensor:
    """Return n values of z, (n,), spaced evenly from -3 to 3. vae-cvae-mnist, Figure 3."""
    return torch.linspace(-3, 3, n)


def plane(values: Tensor) -> Tensor:
    """Return the latents of a square grid, (n·n, 2), row by row from the top: z_0 rises to the right, z_1 upward.

    Args:
        values: of both latents, (n,), or of each, (n, 2).
    """
    of_z_0, of_z_1 = of_each_latent(values)
    z_1, z_0 = torch.meshgrid(of_z_1.flip(0), of_z_0, indexing="ij")
    return torch.stack([z_0, z_1], dim=-1).flatten(0, 1)


def of_each_latent(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values of z_0 and of z_1, (n,) each, from those of both, (n,), or of each, (n, 2)."""
    return (values, values) if values.dim() == 1 else (values[:, 0], values[:, 1])


@styled
def manifold(x: Tensor, values: Tensor, title: str) -> Figure:
    """Draw the decoded plane, with the values of z on its axes.

    Args:
        x: the decoded latents of `plane(values)`, (n·n, C, H, W) in [0, 1].
        values: as in `plane`.
        title: above the figure.
    """
    n = len(values)
    rows = x.unflatten(0, (n, n))
    labeled = sorted({round(i * (n - 1) / 9) for i in range(10)})  # at most ten, including both ends
    x_labels, y_labels = ([format_number(z[i].item(), 2) for i in labeled] for z in of_each_latent(values))
    figure, axes = grid_figure(rows, title, left=label_width(y_labels) + 0.3, bottom=0.4)
    axes.set_xticks([image_centers(n, x.shape[3])[i] for i in labeled], x_labels)
    axes.set_yticks([image_centers(n, x.shape[2])[-1 - i] for i in labeled], y_labels)
    axes.set(xlabel=latent_name(0), ylabel=latent_name(1))
    return figure


@styled
def class_manifolds(planes: Tensor, class_names: Sequence[str], title: str) -> Figure:
    """Draw the decoded plane of each class in a panel of its own.

    Args:
        planes: the decoded latents of `plane(values)` with each class, (K, n·n, C, H, W) in [0, 1].
        class_names: K names.
        title: above the figure.
    """
    columns = min(len(planes), MAX_COLUMNS)
    rows = -(-len(planes) // columns)
    n = round(planes.shape[1] ** 0.5)
    height, width = planes.shape[3] + GAP, planes.shape[4] + GAP
    figure = new_figure(columns * PANEL_WIDTH, rows * (PANEL_WIDTH * height / width + 0.2), title)
    for k, (images, name) in enumerate(zip(planes, class_names, strict=True), 1):
        draw_mosaic(figure.add_subplot(rows, columns, k, title=name), images.unflatten(0, (n, n)))
    return figure
