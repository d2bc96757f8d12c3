"""Samples beside the training images that they resemble most, which shows whether they are copies."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.pixels import max_value
from vae_lightning.plotting.images import paired_rows

CHUNK_VALUES = 2**20  # converted to float at a time: 4 MB, which fit into a cache


def nearest_indices(x: Tensor, images: Tensor) -> Tensor:
    """Return the index of the image with the smallest Euclidean distance between pixels to each x, int64 (n,).

    Args:
        x: (n, C, H, W) in [0, 1].
        images: uint8 or float in [0, 1], (N, C, H, W), on any device; moved to that of x and converted in chunks.
    """
    x = max_value(images) * x.flatten(1).float()
    size = max(1, CHUNK_VALUES // x.shape[1])
    best = torch.full((len(x),), torch.inf, device=x.device)
    indices = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for start, chunk in zip(range(0, len(images), size), images.split(size), strict=True):
        values = chunk.to(x.device).flatten(1).float()
        # ‖x - image‖² without ‖x‖², which is the same for all images
        distances, nearest = torch.addmm(values.norm(dim=1).square(), x, values.T, alpha=-2).min(1)
        indices = torch.where(distances < best, start + nearest, indices)
        best = torch.minimum(distances, best)
    return indices


def nearest_images(samples: Tensor, nearest: Tensor, title: str, class_names: Sequence[str] = ()) -> Figure:
    """Draw samples above their nearest training images.

    Args:
        samples: (N, C, H, W) in [0, 1]; for a conditional model, one of each class per row.
        nearest: the training images, (N, C, H, W) in [0, 1].
        title: above the grid.
        class_names: labels of the columns of a conditional model.
    """
    return paired_rows(samples, nearest, title, ("sample", "nearest"), class_names)
