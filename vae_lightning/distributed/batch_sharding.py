"""Sharding of a batch across processes, and collectives over its rows.

With one process, or outside `with shard:`, each function returns its argument.
"""

from typing import Any

import torch
from torch import Tensor, nn


class BatchShard:
    """Rows of a global batch that belong to this process: every `world_size`-th image, starting at `rank`.

    Inside `with shard:`, each process draws the noise of the global batch and keeps its own rows, and quantities that
    are not means over images are computed from the rows of all processes. So several processes take the same step as
    one process with the global batch, up to rounding, if their random number generators are in the same state.

    All processes must enter the block for the same batches. A batch must have at least one image per process.

    Args:
        rank: rank of this process.
        world_size: number of processes.

    Attributes:
        total: number of images in the global batch. The data loader sets it for each batch.
    """

    active: "BatchShard | None" = None

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank, self.world_size = rank, world_size
        self.total = 0
        self.outer: list[BatchShard | None] = []

    @property
    def size(self) -> int:
        """Number of images of this process."""
        return len(range(self.total)[self.rows])

    @property
    def rows(self) -> slice:
        """Rows of the global batch that belong to this process."""
        return slice(self.rank, None, self.world_size)

    def __enter__(self) -> None:
        self.outer.append(BatchShard.active)
        BatchShard.active = self if self.world_size > 1 else None

    def __exit__(self, *_: object) -> None:
        BatchShard.active = self.outer.pop()


def global_batch_size(n: int) -> int:
    """Return the number of global rows for n local rows, where n is a multiple of this process's number of images."""
    shard = BatchShard.active
    return n if shard is None else n // shard.size * shard.total


def local_rows(x: Tensor) -> Tensor:
    """Return this process's rows of x (global, ...), which may be several copies of the batch, one after the other."""
    shard = BatchShard.active
    return x if shard is None else x.unflatten(0, (-1, shard.total))[:, shard.rows].flatten(0, 1)


def random_integers(high: int, n: int, *shape: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw integers from 0 to `high` - 1 for n local rows on the CPU, int64 (n, *shape)."""
    return local_rows(torch.randint(high, (global_batch_size(n), *shape), generator=generator))


def all_gather_rows(x: Tensor) -> Tensor:
    """Gather this process's rows x with those of all others, (global, ...). Gradients flow back to all processes."""
    return x if BatchShard.active is None else AllGatherRows.apply(x, BatchShard.active)


def sum_across_processes(x: Tensor) -> Tensor:
    """Sum x over all processes, without a gradient."""
    if BatchShard.active is None:
        return x
    x = x.detach().clone()
    torch.distributed.all_reduce(x)
    return x


def broadcast_from_rank_zero(x: Tensor) -> Tensor:
    """Broadcast x in place from process 0 to all processes and return it."""
    if torch.distributed.is_initialized():
        torch.distributed.broadcast(x, 0)
    return x


def broadcast_state(module: nn.Module) -> None:
    """Broadcast parameters and buffers of a module in place from process 0 to all processes."""
    for value in module.state_dict().values():
        broadcast_from_rank_zero(value)


def scale_loss(loss: Tensor) -> Tensor:
    """Scale the loss of this process so that the mean over processes is the mean over all images."""
    shard = BatchShard.active
    return loss if shard is None else loss * (shard.size * shard.world_size / shard.total)


class AllGatherRows(torch.autograd.Function):
    """Forward, put the rows into zeros and sum over processes. Backward, sum over processes and select the rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shard: BatchShard) -> Tensor:
        """Map local rows (n, ...) to global rows (total, ...)."""
        ctx.rows = shard.rows
        rows = x.new_zeros(shard.total, *x.shape[1:])
        rows[shard.rows] = x
        torch.distributed.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Sum the gradients of all processes with respect to the local rows."""
        # A copy, since all_reduce works in place and other functions may use the same tensor.
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(gradient)
        return gradient[ctx.rows], None
