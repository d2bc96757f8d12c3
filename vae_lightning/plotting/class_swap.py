"""Latents of a conditional model decoded with every class (vae-cvae-mnist, Figure 6)."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import image_grid
from vae_lightning.plotting.style import gray, styled


@styled
def class_swap(sampled: Tensor, sources: Tensor, swapped: Tensor, class_names: Sequence[str], title: str) -> Figure:
    """Draw one row per latent and one column per class: first samples from the prior, then the codes of images.

    The images are shown to the left of the rows of their codes.

    Args:
        sampled: A samples from the prior, each decoded with all K classes, (A, K, C, H, W) in [0, 1].
        sources: B images, (B, C, H, W) in [0, 1].
        swapped: their codes, each decoded with all K classes, (B, K, C, H, W) in [0, 1].
        class_names: K names.
        title: above the grid.
    """
    blank = torch.full_like(sampled[:, :1], float(gray(1)))
    rows = torch.cat([torch.cat([blank, sampled], dim=1), torch.cat([sources[:, None], swapped], dim=1)])
    labels = ["$z \\sim p(z)$"] * len(sampled) + ["style of"] * len(sources)
    return image_grid(rows, title, labels, ["", *class_names])
