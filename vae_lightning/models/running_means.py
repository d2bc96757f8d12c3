"""Means over the images of an epoch, kept on the device."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

AddUp = Callable[[Tensor], Tensor]  # a tensor of this process to the sum of it over all processes


class RunningMeans:
    """The mean over images of named scalars that are known as batch means.

    Two small tensor operations a batch and no synchronisation with the device until `compute`; a batch counts by its
    size, so that a short last batch weighs what it should.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.names: list[str] = []
        self.sums: Tensor | None = None  # (len(names) + 1,): the sum of each scalar over images, then their number

    def update(self, n: int, means: dict[str, Tensor]) -> None:
        """Add a batch of n images whose mean scalars are `means`, always under the same names."""
        sums = n * torch.stack([*(mean.detach().float() for mean in means.values()), torch.ones_like(means["loss"])])
        self.names = list(means)
        self.sums = sums if self.sums is None else self.sums.to(sums.device) + sums

    def compute(self, add_up: AddUp) -> dict[str, Tensor]:
        """The means so far, over the images of all processes."""
        if self.sums is None:
            return {}
        *sums, n = add_up(self.sums).unbind()
        return {name: value / n for name, value in zip(self.names, sums, strict=True)}

    def state_dict(self, add_up: AddUp) -> dict[str, Any]:
        """What a checkpoint in mid-epoch needs: the sums of all processes, which one of them goes on with."""
        return {"names": self.names, "sums": None if self.sums is None else add_up(self.sums)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.names, self.sums = state["names"], state["sums"]
