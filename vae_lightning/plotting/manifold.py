"""What a two-dimensional latent space decodes to, from end to end."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import centers, grid_figure, show
from vae_lightning.plotting.style import label_width, number, styled


def quantiles(n: int) -> Tensor:
    """n values of z, (n,), between which N(0, 1) has equal mass: its inverse CDF at (i + ½) / n.

    kingma-welling-replication, Figure 4; Kingma & Welling 2014, appendix A.
    """
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n).float()


def linear_values(n: int, limit: float = 3.0) -> Tensor:
    """n values of z, (n,), from -limit to limit. vae-cvae-mnist, Figure 3."""
    return torch.linspace(-limit, limit, n)


def plane(values: Tensor) -> Tensor:
    """The latents of a square grid, (n·n, 2), row by row from the top: z_1 rises to the right, z_2 upwards."""
    z_2, z_1 = torch.meshgrid(values.flip(0), values, indexing="ij")
    return torch.stack([z_1, z_2], dim=-1).flatten(0, 1)


@styled
def manifold(x: Tensor, values: Tensor, title: str) -> Figure:
    """The decoded plane, with z on its axes.

    Args:
        x: what `plane(values)` decodes to, (n·n, C, H, W) in [0, 1].
        values: (n,).
        title: above the figure.
    """
    n = len(values)
    rows = x.unflatten(0, (n, n))
    marked = sorted({round(i * (n - 1) / 9) for i in range(10)})  # ten at most, both ends among them
    names = [number(values[i].item(), 2) for i in marked]
    figure, axes = grid_figure(rows, title, left=label_width(names) + 0.3, bottom=0.4)
    show(axes, rows)
    axes.set_xticks([centers(n, x.shape[3])[i] for i in marked], names)
    axes.set_yticks([centers(n, x.shape[2])[-1 - i] for i in marked], names)
    axes.set(xlabel="$z_1$ (in $\\sigma$ of the prior)", ylabel="$z_2$ (in $\\sigma$ of the prior)")
    return figure
