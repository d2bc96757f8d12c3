"""Means over the images of an epoch, kept on the device."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

AllReduceSum = Callable[[Tensor], Tensor]  # a tensor of this process -> its sum over all processes


class RunningMeans:
    """Means over images of named scalars, updated from batch means.

    An update is two small tensor operations. Nothing synchronizes with the device until `compute`. Batches are weighted
    by their size, so a short last batch has the right weight.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.names: list[str] = []
        self.sums: Tensor | None = None  # (len(names) + 1,): sums of each scalar over images, then their number

    def update(self, n: int, means: dict[str, Tensor]) -> None:
        """Add a batch of n images with the batch means `means`, whose names must be the same in every batch."""
        sums = n * torch.stack([*(mean.detach().float() for mean in means.values()), torch.ones_like(means["loss"])])
        self.names = list(means)
        self.sums = sums if self.sums is None else self.sums.to(sums.device) + sums

    def compute(self, all_reduce_sum: AllReduceSum) -> dict[str, Tensor]:
        """Return the means so far, over the images of all processes."""
        if self.sums is None:
            return {}
        *sums, n = all_reduce_sum(self.sums).unbind()
        return {name: value / n for name, value in zip(self.names, sums, strict=True)}

    def state_dict(self, all_reduce_sum: AllReduceSum) -> dict[str, Any]:
        """Return the state for a checkpoint in mid-epoch: the sums over all processes, which one of them resumes."""
        return {"names": self.names, "sums": None if self.sums is None else all_reduce_sum(self.sums)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved state."""
        self.names, self.sums = state["names"], state["sums"]
