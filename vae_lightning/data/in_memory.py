"""Batches gathered by index from images that lie in memory."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.errors import UserError


class Batch(NamedTuple):
    """Images, and their labels where there are any; also a whole split.

    Attributes:
        x: uint8 (B, C, H, W).
        y: int64 (B,) for classes, (B, A) for attributes or factors, or None for unlabelled data.
    """

    x: Tensor
    y: Tensor | None

    def to(self, device: torch.device) -> "Batch":
        """The same on a device. Lightning calls it, and else would look for tensors in whatever a batch is."""
        return Batch(self.x.to(device), None if self.y is None else self.y.to(device))


class EpochSampler:
    """The order in which n images are visited.

    Shuffled, it is a function of the seed and the epoch alone, so that a run that was cut off meets the same batches.

    Args:
        n: the number of images.
        seed: shuffle with it; None keeps the order.
    """

    def __init__(self, n: int, *, seed: int | None) -> None:
        self.n, self.seed = n, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def indices(self) -> Tensor:
        """The images of this epoch, int64 (n,)."""
        if self.seed is None:
            return torch.arange(self.n)
        return torch.from_numpy(np.random.default_rng((self.seed, self.epoch)).permutation(self.n))


class InMemoryLoader:
    """An iterable of batches, one gather each: what a DataLoader does, without touching an image in Python.

    Lightning keeps `state_dict` in each checkpoint, and a run resumed in mid-epoch goes on with the very next batch.

    Several processes share each batch. All take equally many steps, and none drops or repeats an image: the last batch
    may be short, but has an image for each process; a shorter rest joins the batch before.

    Args:
        split: the images.
        batch_size: those of a step, of all processes together; not fewer than there are of these.
        order: in which they are visited.
        shard: what falls to this process; it is told the size of each batch that is given out.

    Raises:
        UserError: when there are fewer images than processes.
    """

    batch_sampler = None  # Lightning asks every loader for it

    def __init__(self, split: Batch, batch_size: int, order: EpochSampler, shard: BatchShard | None = None) -> None:
        self.split = split
        self.shard = BatchShard() if shard is None else shard
        self.batch_size = max(batch_size, self.shard.world_size)
        if 0 < len(order) < self.shard.world_size:
            raise UserError(
                f"data: {len(order)} images for {self.shard.world_size} processes; type fewer trainer.devices"
            )
        self.sampler = order  # the name under which Lightning looks for set_epoch
        self.position = 0  # batches given out in this epoch
        self.resumed = {"epoch": 0, "position": 0}  # where a run that is resumed goes on

    def __len__(self) -> int:
        return -(-(len(self.sampler) - self.shard.world_size + 1) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        self.position = self.resumed["position"] if self.resumed["epoch"] == self.sampler.epoch else 0
        self.resumed["position"] = 0
        x, y = self.split
        order = self.sampler.indices().to(x.device)
        while self.position < len(self):
            start, self.position = self.position * self.batch_size, self.position + 1
            batch = order[start : start + self.batch_size] if self.position < len(self) else order[start:]
            self.shard.total = len(batch)
            index = batch[self.shard.rows]
            # index_select takes a tenth of the time of x[index]
            yield Batch(x.index_select(0, index), None if y is None else y.index_select(0, index))

    def state_dict(self) -> dict[str, int]:
        """The epoch, and the position in it."""
        return {"epoch": self.sampler.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the saved epoch at the saved position."""
        self.resumed = dict(state)
