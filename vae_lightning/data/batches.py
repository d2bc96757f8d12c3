"""Batches gathered by index from images that lie in memory."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Batch(NamedTuple):
    """Images, and their labels where there are any; also a whole split.

    Attributes:
        x: uint8 (B, C, H, W).
        y: int64 (B,) for classes, (B, A) for attributes or factors, or None for unlabelled data.
    """

    x: Tensor
    y: Tensor | None


class Order:
    """The order in which one process visits n images.

    Shuffled, it is a function of the seed and the epoch alone, so that a run that was cut off meets the same batches.

    Args:
        n: the number of images.
        seed: shuffle with it; None keeps the order.
        rank: this process.
        world_size: the number of processes, each of which takes every `world_size`-th image. When shuffled, the order
            is first filled up from its start, so that all processes take equally many steps.
    """

    def __init__(self, n: int, *, seed: int | None, rank: int = 0, world_size: int = 1) -> None:
        self.n, self.seed, self.rank, self.world_size = n, seed, rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        if self.seed is None:
            return len(range(self.rank, self.n, self.world_size))
        return -(-self.n // self.world_size)

    def indices(self) -> Tensor:
        """The images of this epoch, int64 (len,)."""
        if self.seed is None:
            return torch.arange(self.rank, self.n, self.world_size)
        order = torch.from_numpy(np.random.default_rng((self.seed, self.epoch)).permutation(self.n))
        return torch.cat([order, order[: -self.n % self.world_size]])[self.rank :: self.world_size]


class Batches:
    """An iterable of batches, one gather each: what a DataLoader does, without touching an image in Python.

    Lightning keeps `state_dict` in each checkpoint, and a run resumed in mid-epoch goes on with the very next batch.
    """

    batch_sampler = None  # Lightning asks every loader for it

    def __init__(self, split: Batch, batch_size: int, order: Order) -> None:
        self.split = split
        self.batch_size = batch_size
        self.sampler = order  # the name under which Lightning looks for set_epoch
        self.position = 0  # batches given out in this epoch
        self.resumed = {"epoch": 0, "position": 0}  # where a run that is resumed goes on

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        self.position = self.resumed["position"] if self.resumed["epoch"] == self.sampler.epoch else 0
        self.resumed["position"] = 0
        x, y = self.split
        for index in self.sampler.indices().to(x.device).split(self.batch_size)[self.position :]:
            self.position += 1
            yield Batch(x[index], None if y is None else y[index])

    def state_dict(self) -> dict[str, int]:
        """The epoch, and the position in it."""
        return {"epoch": self.sampler.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the saved epoch at the saved position."""
        self.resumed = dict(state)
