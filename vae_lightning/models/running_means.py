"""Means over the images of an epoch, kept on the device."""

from collections.abc import Callable, Collection
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


def checked_terms(terms: Any, taken: Collection[str]) -> dict[str, Tensor]:
    """Return what an objective has returned, as float32 scalars without gradients.

    Args:
        terms: tensors or numbers, by name.
        taken: names of what is logged besides.

    Raises:
        UserError: if they are not a dictionary of scalars with a loss that has a gradient and an objective.
    """
    if not isinstance(terms, dict) or not {"loss", "objective"} <= terms.keys():
        found = ", ".join(terms) if isinstance(terms, dict) else type(terms).__name__
        raise UserError(f"objective: must return a dictionary with loss and objective, not {found}.")
    if names := terms.keys() & {*taken}:
        raise UserError(f"objective: {min(names)} is logged by the model. Use another name for the term.")
    loss = terms["loss"]
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise UserError("objective: loss has no gradient. Compute it from the parameters, without detach or no_grad.")
    return {name: as_scalar(name, value, loss) for name, value in terms.items()}


def as_scalar(name: str, value: Any, like: Tensor) -> Tensor:
    """Return a term of an objective, a tensor or a number, as a float32 scalar without a gradient.

    Raises:
        UserError: if it is neither.
    """
    tensor = value.detach() if isinstance(value, Tensor) else like.new_tensor(value)
    if tensor.dim():
        raise UserError(f"objective: {name} has shape {tuple(tensor.shape)}. Average it over the batch.")
    return tensor.float()
