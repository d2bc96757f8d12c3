"""Latent traversals: one latent moves over its range while the others are fixed (overview, Figure 1)."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from torch import Tensor

from vae_lightning.plotting.images import labeled_grid, mosaic
from vae_lightning.plotting.style import format_interval, latent_name, styled

FRAME_DURATION = 120  # milliseconds
DPI = 100  # lower than that of other figures, since a GIF has many frames


def ranges(centers: Tensor, logvar: Tensor | None) -> Tensor:
    """Return the range of each latent, (D, 2): mean ± two standard deviations of the aggregate posterior.

    Args:
        centers: the means of q(z|x) of many images, (N, D), or draws from it if there is no `logvar`.
        logvar: log σ² of a Gaussian q(z|x), (N, D), or None.
    """
    variance = centers.var(0, correction=0) + (0.0 if logvar is None else logvar.exp().mean(0))
    ends = torch.tensor([-2.0, 2.0], device=centers.device)
    return centers.mean(0)[:, None] + variance.sqrt()[:, None] * ends


def traverse(z: Tensor, latents: Tensor, ends: Tensor, steps: int) -> Tensor:
    """Return the latents of traversals, (R, steps, D). Row r equals z except in the latent `latents[r]`.

    Args:
        z: the starting point, (D,).
        latents: indices of the latents to traverse, int64 (R,).
        ends: the first and last value of each, (R, 2).
        steps: number of values per latent.
    """
    rows = z.expand(len(latents), steps, -1).clone()
    t = torch.linspace(0, 1, steps, dtype=z.dtype, device=z.device)
    values = torch.lerp(ends[:, :1], ends[:, 1:], t)  # (R, steps)
    rows[torch.arange(len(latents)), :, latents] = values.to(rows)
    return rows


def row_names(latents: Tensor, ends: Tensor, rates: Tensor | None) -> list[str]:
    """Return a label for each row: the latent, its KL if it is defined, and its range.

    Args:
        latents: indices of the latents, int64 (R,).
        ends: the first and last value of each, (R, 2).
        rates: the KL of each of the R latents in nats, or None.
    """
    names = []
    for r, latent in enumerate(latents.tolist()):
        rate = "" if rates is None else f"{rates[r]:.2f} nats  "
        names.append(f"{latent_name(latent)}  {rate}{format_interval(ends[r].tolist())}")
    return names


@styled
def animation(frames: Tensor, title: str, column_labels: Sequence[str] = ()) -> bytes:
    """Return a GIF that plays grids of images forward and backward in an endless loop.

    Args:
        frames: (T, R, N, C, H, W) in [0, 1].
        title: above the grid.
        column_labels: N labels, above the columns; none by default.
    """
    figure, image = labeled_grid(frames[0], title, (), column_labels)
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    forward = []
    for rows in frames:
        image.set_data(mosaic(rows))
        canvas.draw()
        forward.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(128))
    file = BytesIO()
    loop = forward + forward[-2:0:-1]
    loop[0].save(file, "GIF", save_all=True, append_images=loop[1:], duration=FRAME_DURATION, loop=0)
    return file.getvalue()
