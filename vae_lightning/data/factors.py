"""Datasets with one image per combination of factors, and pairs of images that share most of them."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.distributed.batch_sharding import random_integers
from vae_lightning.errors import UserError

TRIES = 32  # to draw a partner that is not held out


class FactorDataModule(ImageDataModule):
    """Images whose labels are the factors of a grid, of which every combination occurs equally often.

    Args:
        pairs: k, the number of factors in which the images of a pair differ, for weakly supervised models; `random` for
            a number from 1 to one less than there are factors, drawn for each pair; None for no pairs.
        **loading: arguments of `ImageDataModule`.
    """

    def __init__(self, *, pairs: int | str | None = None, **loading: Any) -> None:
        super().__init__(**loading)
        self.pairs = pairs
        self.grid: Tensor | None = None  # indices of the training images of each combination, or -1: (..., repeats)

    def setup(self, stage: str | None = None) -> None:
        """Load the splits as the base class does, and index the training images by their factors.

        Raises:
            UserError: if the images do not match the configuration, or have fewer factors than pairs would differ in.
        """
        super().setup(stage)
        if self.pairs is None or self.grid is not None:
            return
        sizes = torch.stack([y.amax(0) for _, y in self.splits.values() if y is not None and len(y)]).amax(0) + 1
        most, fewest = int((sizes > 1).sum()), 2 if self.pairs == "random" else int(self.pairs)
        if most < fewest:
            raise UserError(
                f"data.pairs={self.pairs}: only {most} of the factors have several values. Set data.pairs={most}."
            )
        y = self.splits["train"].y
        assert y is not None
        self.grid = index_by_factors(y, sizes)

    def random_partners(self, y: Tensor) -> Batch:
        """Sample a training image for each image of a batch that differs in exactly k of its factors, on its device.

        An image whose partners were all held out, in `TRIES` draws, is its own partner.

        Args:
            y: factors, (B, A).
        """
        assert self.grid is not None
        assert self.pairs is not None
        *shape, repeats = self.grid.shape
        sizes = torch.tensor(shape)
        k: Tensor | int = (
            int(self.pairs) if self.pairs != "random" else 1 + random_integers(int((sizes > 1).sum()) - 1, len(y), 1, 1)
        )
        candidates = draw_candidates(y.cpu(), sizes, k)  # (B, TRIES + 1, A)
        index = self.grid[tuple(candidates.unbind(2))]  # (B, TRIES + 1, repeats)
        if repeats > 1:
            index = index.gather(2, random_integers(2**62, *index.shape).argsort(2))
        index = index.flatten(1)
        index = index.gather(1, (index >= 0).int().argmax(1, keepdim=True))[:, 0]  # the first that is not held out
        x, factors = self.splits["train"]
        assert factors is not None
        return self.transform(Batch(x[index], factors[index]).to(y.device), training=True)


def all_combinations(sizes: Sequence[int]) -> np.ndarray:
    """Return every combination of factors with these numbers of values, the last varying fastest: int64 (N, A)."""
    return np.stack(np.unravel_index(np.arange(prod(sizes)), sizes), axis=1).astype(np.int64)


def index_by_factors(y: Tensor, sizes: Tensor) -> Tensor:
    """Return the indices of the images of each combination of factors, followed by -1: int64 (*sizes, repeats).

    Args:
        y: factors, (N, A).
        sizes: number of values of each factor, (A,).
    """
    shape = sizes.tolist()
    combination = torch.from_numpy(np.ravel_multi_index(tuple(y.T.numpy()), shape))
    counts = combination.bincount(minlength=int(sizes.prod()))
    order = combination.argsort(stable=True)
    place = torch.arange(len(y)) - (counts.cumsum(0) - counts)[combination[order]]  # among those of its combination
    grid = torch.full((len(counts), int(counts.max())), -1)
    grid[combination[order], place] = order
    return grid.view(*shape, -1)


def draw_candidates(y: Tensor, sizes: Tensor, k: Tensor | int) -> Tensor:
    """Change k of the factors (B, A) to other values, at random, `TRIES` times; append the factors: (B, TRIES + 1, A).

    Args:
        y: factors, (B, A).
        sizes: number of values of each factor, (A,); those with a single value are never changed.
        k: number of factors to change, for all images or for each, (B, 1, 1).
    """
    b, a = y.shape
    order = random_integers(2**62, b, TRIES, a).masked_fill(sizes == 1, 2**62)
    is_changed = order.argsort(2).argsort(2) < k
    shift = 1 + random_integers(2**62, b, TRIES, a) % (sizes - 1).clamp(min=1)
    changed = (y[:, None] + shift * is_changed) % sizes
    return torch.cat([changed, y[:, None]], dim=1)
