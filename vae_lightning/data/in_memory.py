"""Batches gathered by index from images in memory."""

from collections.abc import Iterator
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.errors import UserError


class Batch(NamedTuple):
    """Images and their labels; also used for a complete split.

    Attributes:
        x: uint8, or float32 in [0, 1], (B, C, H, W).
        y: int64 (B,) for classes (-1 if it is not given), (B, A) for attributes or factors, or None for unlabeled data.
    """

    x: Tensor
    y: Tensor | None

    def to(self, device: torch.device) -> "Batch":
        """Move the batch to a device. Lightning calls this instead of searching the batch for tensors."""
        copy = partial(Tensor.to, device=device, non_blocking=device.type == "cuda")  # safe to a GPU, but not from one
        return Batch(copy(self.x), None if self.y is None else copy(self.y))

    def rows(self, index: Tensor | slice) -> "Batch":
        """Return some of the images and their labels."""
        return Batch(self.x[index], None if self.y is None else self.y[index])

    def split(self, size: int) -> Iterator["Batch"]:
        """Iterate over parts of `size` images, in order; the last one may be smaller."""
        return map(Batch, self.x.split(size), repeat(None) if self.y is None else self.y.split(size))


class EpochSampler:
    """Order in which the n images of a split are visited in an epoch.

    The order depends on seed and epoch only, so a resumed run sees the same batches.

    Args:
        n: number of images.
        seed: seed of the shuffling; None keeps the order of the split.
    """

    def __init__(self, n: int, *, seed: int | None) -> None:
        self.n, self.seed = n, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. Lightning calls this before each one."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def indices(self) -> Tensor:
        """Return the indices of the images of this epoch, int64 (n,)."""
        if self.seed is None:
            return torch.arange(self.n)
        return torch.from_numpy(np.random.default_rng((self.seed, self.epoch)).permutation(self.n))


class InMemoryLoader:
    """Iterable of batches, each gathered by one indexing operation instead of image by image as in a `DataLoader`.

    Lightning saves `state_dict` in each checkpoint, so a run resumed in mid-epoch continues with the next batch.

    Processes share each batch. All take the same number of steps, and no image is dropped or repeated. The last batch
    may be short but has at least one image per process; a shorter remainder is added to the batch before it.

    Args:
        split: images and labels to iterate over.
        batch_size: images per step, over all processes; raised to the number of processes if it is smaller.
        sampler: order of the images.
        shard: rows of this process; its total is updated for each batch. None for a single process.

    Raises:
        UserError: if there are fewer images than processes.
    """

    batch_sampler = None  # Lightning reads this attribute of every loader

    def __init__(self, split: Batch, batch_size: int, sampler: EpochSampler, shard: BatchShard | None = None) -> None:
        self.split = split
        self.shard = BatchShard() if shard is None else shard
        self.batch_size = max(batch_size, self.shard.world_size)
        if 0 < len(sampler) < self.shard.world_size:
            raise UserError(
                f"trainer.devices={self.shard.world_size}: there are only {len(sampler)} images. Use fewer processes."
            )
        self.sampler = sampler  # Lightning calls `set_epoch` of this attribute
        self.position = 0  # number of batches yielded in this epoch
        self.resumed: dict[str, Any] = {"epoch": 0, "position": 0}  # where a resumed run continues

    @property
    def batches(self) -> dict[str, int | None]:
        """What determines the images of each batch: their number, their size over all processes, and the seed."""
        return {"number": len(self), "size": self.batch_size, "seed": self.sampler.seed}

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
            # index_select is ten times as fast as x[index]
            yield Batch(x.index_select(0, index), None if y is None else y.index_select(0, index))

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the number of batches yielded in it, and what determines the images of each batch."""
        return {"epoch": self.sampler.epoch, "position": self.position, "batches": self.batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the saved epoch continue at the saved position."""
        self.resumed = dict(state)

    def check_resumed(self) -> None:
        """Check that the batches of an incomplete epoch have the images that they had before.

        Raises:
            UserError: if not, so some images would be visited twice and others never.
        """
        saved = self.resumed.get("batches", self.batches)  # a new run, or an older checkpoint, does not have them
        if saved != self.batches:
            was, now = ("{number} batches of {size} images with seed {seed}".format(**b) for b in (saved, self.batches))
            raise UserError(
                f"resume: the checkpoint is from the middle of an epoch of {was}, but now there are {now}. Keep"
                " trainer.devices and trainer.overfit_batches until the epoch is complete."
            )
