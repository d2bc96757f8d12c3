"""Means over the images of an epoch, kept on the device."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vae_lightning.errors import UserError

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
        """Add a batch of n images with the batch means `means`.

        Raises:
            UserError: if their names are not those of the batches before, or one is not a scalar.
        """
        self.names = self.names or list(means)
        if self.names != list(means):
            if missing := sorted({*self.names} ^ {*means}):
                raise UserError(f"objective: {missing[0]} is missing in some batches. Return the same terms for all.")
            means = {name: means[name] for name in self.names}
        values = [as_scalar(name, value, means["loss"]) for name, value in means.items()]
        sums = n * torch.stack([*values, torch.ones_like(values[0])])
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


def as_scalar(name: str, value: Any, like: Tensor) -> Tensor:
    """Return a term of an objective, a tensor or a number, as a float32 scalar without a gradient.

    Raises:
        UserError: if it is neither.
    """
    tensor = value.detach() if isinstance(value, Tensor) else like.new_tensor(value)
    if tensor.dim():
        raise UserError(f"objective: {name} has shape {tuple(tensor.shape)}. Average it over the batch.")
    return tensor.float()
