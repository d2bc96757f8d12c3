"""What a conditional model keeps when the class changes (vae-cvae-mnist, Figure 6)."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import image_grid


def class_swap(drawn: Tensor, sources: Tensor, swapped: Tensor, class_names: Sequence[str], title: str) -> Figure:
    """One z in every class: z from the prior, then the codes of images, which stand to the left.

    Args:
        drawn: A latents from the prior, each decoded with all K classes, (A, K, C, H, W) in [0, 1].
        sources: B images, (B, C, H, W).
        swapped: their codes, each decoded with all K classes, (B, K, C, H, W).
        class_names: K names.
        title: above the grid.
    """
    nothing = torch.ones_like(drawn[:, :1])
    rows = torch.cat([torch.cat([nothing, drawn], dim=1), torch.cat([sources[:, None], swapped], dim=1)])
    labels = ["$z \\sim p(z)$"] * len(drawn) + ["style of"] * len(sources)
    return image_grid(rows, title, labels, ["", *class_names])
