"""One latent after the other, from one end of its range to the other, the others held (overview, Figure 1)."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from torch import Tensor

from vae_lightning.plotting.images import labelled_grid, mosaic
from vae_lightning.plotting.style import interval, styled

FRAME = 120  # milliseconds
DOTS = 100  # per inch: a GIF has many frames


def ranges(mu: Tensor, logvar: Tensor | None, width: float = 2.0) -> Tensor:
    """From where to where each latent goes, (D, 2): mean ± width standard deviations of the aggregate posterior.

    Args:
        mu: the means of q(z|x) over many images, (N, D).
        logvar: log σ² of the same, or None for a deterministic code.
        width: in standard deviations.
    """
    variance = mu.var(0, correction=0) + (0.0 if logvar is None else logvar.exp().mean(0))
    return mu.mean(0)[:, None] + width * variance.sqrt()[:, None] * torch.tensor([-1.0, 1.0], device=mu.device)


def traverse(z: Tensor, latents: Tensor, ends: Tensor, steps: int) -> Tensor:
    """The latents of a figure of traversals, (R, steps, D): in row r all of z is held but latent `latents[r]`.

    Args:
        z: where to start, (D,).
        latents: which to traverse, int64 (R,).
        ends: from where to where each goes, (R, 2).
        steps: how many values each takes.
    """
    rows = z.expand(len(latents), steps, -1).clone()
    t = torch.linspace(0, 1, steps, dtype=z.dtype, device=z.device)
    values = torch.lerp(ends[:, :1], ends[:, 1:], t)  # (R, steps)
    rows[torch.arange(len(latents)), :, latents] = values.to(rows)
    return rows


def row_names(latents: Tensor, ends: Tensor, rates: Tensor | None) -> list[str]:
    """Each row's latent, its KL where it has one, and its range.

    Args:
        latents: which, int64 (R,), counted from 0; the names count from 1.
        ends: from where to where, (R, 2).
        rates: the KL of each of the R latents in nats, or None.
    """
    names = []
    for r, latent in enumerate(latents.tolist()):
        rate = "" if rates is None else f"{rates[r]:.2f} nats  "
        names.append(f"$z_{{{latent + 1}}}$  {rate}{interval(ends[r].tolist())}")
    return names


@styled
def animation(frames: Tensor, title: str, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()) -> bytes:
    """Grids of images, one after the other and back again, for ever: a GIF.

    Args:
        frames: (T, R, N, C, H, W) in [0, 1].
        title: above the grid.
        row_labels: R names, to the left of the rows; none by default.
        column_labels: N names, above the columns; none by default.
    """
    figure, image = labelled_grid(frames[0], title, row_labels, column_labels)
    figure.set_dpi(DOTS)
    canvas = FigureCanvasAgg(figure)
    pictures = []
    for rows in frames:
        image.set_data(mosaic(rows))
        canvas.draw()
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(128))
    file = BytesIO()
    there_and_back = pictures + pictures[-2:0:-1]
    there_and_back[0].save(file, "GIF", save_all=True, append_images=there_and_back[1:], duration=FRAME, loop=0)
    return file.getvalue()
