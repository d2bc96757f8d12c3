"""A batch that several processes share: which rows are whose, and what all of them are.

With one process, and outside of `with shard:`, each function here hands back what it is given.
"""

from typing import Any

import torch
from torch import Tensor


class BatchShard:
    """The part of a batch that falls to this process: every `world_size`-th image, from the `rank`-th on.

    Inside `with shard:` all processes draw the noise of the whole batch and keep their rows of it, and what is no mean
    over images is computed of all rows. So any number of processes take the very step that one takes with the whole
    batch, up to rounding, if their generators are in the same state.

    The processes must enter it for the same batches, and the whole batch must have an image for each of them.

    Args:
        rank: this process.
        world_size: the number of processes.

    Attributes:
        total: the number of images of the whole batch; whoever gives out batches sets it for each.
    """

    active: "BatchShard | None" = None

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank, self.world_size = rank, world_size
        self.total = 0
        self.before: list[BatchShard | None] = []

    @property
    def size(self) -> int:
        """The number of images that fall to this process."""
        return len(range(self.total)[self.rows])

    @property
    def rows(self) -> slice:
        """The rows of the whole batch that fall to this process."""
        return slice(self.rank, None, self.world_size)

    def __enter__(self) -> None:
        self.before.append(BatchShard.active)
        BatchShard.active = self if self.world_size > 1 else None

    def __exit__(self, *_: object) -> None:
        BatchShard.active = self.before.pop()


def global_batch_size(n: int) -> int:
    """The rows of the whole batch, of which n are this process's: as many times its images as n is of the shard's."""
    shard = BatchShard.active
    return n if shard is None else n // shard.size * shard.total


def local_rows(x: Tensor) -> Tensor:
    """This process's rows of x (whole, ...), which may hold the batch several times over, one after the other."""
    shard = BatchShard.active
    return x if shard is None else x.unflatten(0, (-1, shard.total))[:, shard.rows].flatten(0, 1)


def all_gather_rows(x: Tensor) -> Tensor:
    """The rows of all processes, (whole, ...), of this process's x; a gradient finds its way back to all of them."""
    return x if BatchShard.active is None else AllGatherRows.apply(x, BatchShard.active)


def sum_across_processes(x: Tensor) -> Tensor:
    """The sum of x over all processes, without a gradient."""
    if BatchShard.active is None:
        return x
    x = x.detach().clone()
    torch.distributed.all_reduce(x)
    return x


def scale_loss(loss: Tensor) -> Tensor:
    """The loss of this process's images so that the mean of it over processes is the mean over all images."""
    shard = BatchShard.active
    return loss if shard is None else loss * (shard.size * shard.world_size / shard.total)


class AllGatherRows(torch.autograd.Function):
    """Each process puts its rows into zeros, and the sum over processes is all rows; backward, the other way round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shard: BatchShard) -> Tensor:
        """(own, ...) to (total, ...)."""
        ctx.rows = shard.rows
        rows = x.new_zeros(shard.total, *x.shape[1:])
        rows[shard.rows] = x
        torch.distributed.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The sum of what all processes make of this process's rows."""
        gradient = gradient.clone(memory_format=torch.contiguous_format)  # it may be somebody else's as well
        torch.distributed.all_reduce(gradient)
        return gradient[ctx.rows], None
