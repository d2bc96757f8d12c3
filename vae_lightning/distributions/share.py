"""A batch that several processes share: which rows are whose, and what all of them are.

With one process, and outside of `with share:`, each function here hands back what it is given.
"""

from typing import Any

import torch
from torch import Tensor


class Share:
    """The part of a batch that falls to this process: every `world_size`-th image, from the `rank`-th on.

    Inside `with share:` all processes draw the noise of the whole batch and keep their rows of it, and what is no mean
    over images is computed of all rows. So any number of processes take the very step that one takes with the whole
    batch, up to rounding, if their generators are in the same state.

    The processes must enter it for the same batches, and the whole batch must have an image for each of them.

    Args:
        rank: this process.
        world_size: the number of processes.

    Attributes:
        total: the number of images of the whole batch; whoever gives out batches sets it for each.
    """

    active: "Share | None" = None

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank, self.world_size = rank, world_size
        self.total = 0
        self.before: list[Share | None] = []

    @property
    def size(self) -> int:
        """The number of images that fall to this process."""
        return len(range(self.total)[self.rows])

    @property
    def rows(self) -> slice:
        """The rows of the whole batch that fall to this process."""
        return slice(self.rank, None, self.world_size)

    def __enter__(self) -> None:
        self.before.append(Share.active)
        Share.active = self if self.world_size > 1 else None

    def __exit__(self, *_: object) -> None:
        Share.active = self.before.pop()


def whole(n: int) -> int:
    """The rows of the whole batch, of which n are this process's: as many times its images as n is of the share's."""
    share = Share.active
    return n if share is None else n // share.size * share.total


def own(x: Tensor) -> Tensor:
    """This process's rows of x (whole, ...), which may hold the batch several times over, one after the other."""
    share = Share.active
    return x if share is None else x.unflatten(0, (-1, share.total))[:, share.rows].flatten(0, 1)


def gather(x: Tensor) -> Tensor:
    """The rows of all processes, (whole, ...), of this process's x; a gradient finds its way back to all of them."""
    return x if Share.active is None else Gather.apply(x, Share.active)


def add_up(x: Tensor) -> Tensor:
    """The sum of x over all processes, without a gradient."""
    if Share.active is None:
        return x
    x = x.detach().clone()
    torch.distributed.all_reduce(x)
    return x


def weighed(loss: Tensor) -> Tensor:
    """The loss of this process's images so that the mean of it over processes is the mean over all images."""
    share = Share.active
    return loss if share is None else loss * (share.size * share.world_size / share.total)


class Gather(torch.autograd.Function):
    """Each process puts its rows into zeros, and the sum over processes is all rows; backward, the other way round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: Share) -> Tensor:
        """(own, ...) to (total, ...)."""
        ctx.rows = share.rows
        rows = x.new_zeros(share.total, *x.shape[1:])
        rows[share.rows] = x
        torch.distributed.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The sum of what all processes make of this process's rows."""
        gradient = gradient.clone(memory_format=torch.contiguous_format)  # it may be somebody else's as well
        torch.distributed.all_reduce(gradient)
        return gradient[ctx.rows], None
