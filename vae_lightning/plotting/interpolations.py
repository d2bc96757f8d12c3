"""Interpolations between images through the latent space (vae-cvae-mnist, Figure 4)."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import image_grid

PARALLEL = 1e-3  # sine of the angle below which two directions count as parallel


def linear(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Interpolate linearly from a (P, D) to b (P, D), both included: (P, steps, D)."""
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)[:, None]
    return torch.lerp(a[:, None], b[:, None], t)


def spherical(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Interpolate spherically from a (P, D) to b (P, D), both included: (P, steps, D).

    The direction turns at a constant rate, and the norm changes at a constant rate. If a and b lie on one line through
    the origin there is no unique arc, and the interpolation is linear.

    Shoemake 1985; used for latents by White 2016, since the mass of N(0, I) lies near a sphere.
    """
    norms = linear(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), steps)  # (P, steps, 1)
    u, v = (torch.nn.functional.normalize(z, dim=1)[:, None] for z in (a, b))
    angle = (u * v).sum(-1, keepdim=True).clamp(-1, 1).acos()  # (P, 1, 1)
    has_arc = (torch.sin(angle) > PARALLEL) & (norms[:, :1] * norms[:, -1:] > 0)
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)[:, None]
    directions = (torch.sin((1 - t) * angle) * u + torch.sin(t * angle) * v) / torch.sin(angle)
    return torch.where(has_arc, norms * directions, linear(a, b, steps))


def interpolations(ends: Tensor, decoded: dict[str, Tensor], title: str) -> Figure:
    """Draw interpolations between the two images of each pair, with the images themselves at both ends.

    Args:
        ends: the images of each pair, (P, 2, C, H, W) in [0, 1].
        decoded: kind of interpolation, such as "linear" -> the decoded latents, (P, steps, C, H, W) in [0, 1]. There
            is one row per pair and kind.
        title: above the grid.
    """
    rows = torch.stack([torch.cat([ends[:, :1], images, ends[:, 1:]], dim=1) for images in decoded.values()], dim=1)
    steps = rows.shape[2] - 2
    fractions = [f"{i / (steps - 1):.2f}" for i in range(steps)]
    return image_grid(rows.flatten(0, 1), title, list(decoded) * len(ends), ["input", *fractions, "input"])
