"""From one image to another through the latent space (vae-cvae-mnist, Figure 4)."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import image_grid

PARALLEL = 1e-3  # sin of an angle below which two directions make no plane


def linear(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """The straight lines from a (P, D) to b (P, D), (P, steps, D), both ends included."""
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)[:, None]
    return torch.lerp(a[:, None], b[:, None], t)


def spherical(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """The arcs from a (P, D) to b (P, D), (P, steps, D): the direction turns evenly, the norm changes evenly.

    Shoemake 1985; for latents White 2016, since N(0, I) has its mass on a sphere. Where a and b lie on one line through
    the origin there is no arc, and the way is straight.
    """
    norms = linear(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), steps)  # (P, steps, 1)
    u, v = (torch.nn.functional.normalize(z, dim=1)[:, None] for z in (a, b))
    angle = (u * v).sum(-1, keepdim=True).clamp(-1, 1).acos()  # (P, 1, 1)
    has_arc = (torch.sin(angle) > PARALLEL) & (norms[:, :1] * norms[:, -1:] > 0)
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)[:, None]
    turned = (torch.sin((1 - t) * angle) * u + torch.sin(t * angle) * v) / torch.sin(angle)
    return torch.where(has_arc, norms * turned, linear(a, b, steps))


def interpolations(ends: Tensor, ways: dict[str, Tensor], title: str) -> Figure:
    """Each pair's images at both ends of each way between their codes.

    Args:
        ends: the images of each pair, (P, 2, C, H, W) in [0, 1].
        ways: by its name, what each way decodes to, (P, steps, C, H, W); the pairs lie one below the other.
        title: above the grid.
    """
    rows = torch.stack([torch.cat([ends[:, :1], way, ends[:, 1:]], dim=1) for way in ways.values()], dim=1)
    steps = rows.shape[2] - 2
    places = [f"{i / (steps - 1):.2f}" for i in range(steps)]
    return image_grid(rows.flatten(0, 1), title, list(ways) * len(ends), ["input", *places, "input"])
