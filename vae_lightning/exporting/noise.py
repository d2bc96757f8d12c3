"""Random draws as a function of given noise, so that sampling becomes a graph without random numbers."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class GivenNoise(TorchFunctionMode):
    """Inside the block, torch draws from given standard normal variables, one row of them per row of a draw.

    A uniform variable is Φ(ε), an integer below n is ⌊n·Φ(ε)⌋, and a categorical one the inverse of its distribution
    function at Φ(ε). So the draws have the distributions that they have without the block.

    Args:
        noise: ε, (B, M), or (B, 0) to count how many variables are needed.

    Attributes:
        used: the number of variables used so far, M in the end.
    """

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise, self.used = noise, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace a draw."""
        kwargs = kwargs or {}
        replacement = REPLACEMENTS.get(func)
        return func(*args, **kwargs) if replacement is None else replacement(self, *args, **kwargs)

    def take(self, rows: int, *shape: int) -> Tensor:
        """Take the next variables, one row per image, (B, *shape)."""
        first, self.used = self.used, self.used + prod(shape)
        if not self.noise.shape[1]:
            return self.noise.new_zeros(rows, *shape)
        return self.noise[:, first : self.used].reshape(-1, *shape)

    def normal(self, *size: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
        """Draw standard normal variables in place of `torch.randn`."""
        return self.take(*(size[0] if isinstance(size[0], tuple | list | torch.Size) else size))

    def uniform(self, *size: Any, **_: Any) -> Tensor:
        """Draw uniform variables in place of `torch.rand`."""
        return torch.special.ndtr(self.normal(*size))

    def integers(self, high: int, size: Any, **_: Any) -> Tensor:
        """Draw integers in place of `torch.randint`."""
        return (self.uniform(size) * high).floor().clamp(max=high - 1).long()

    def categorical(self, weights: Tensor, num_samples: int, **_: Any) -> Tensor:
        """Draw indices in place of `torch.multinomial` with replacement, from weights (K,)."""
        cumulative = weights.cumsum(0) / weights.sum()
        return (self.uniform((num_samples,))[:, None] > cumulative[:-1]).sum(1)


REPLACEMENTS: dict[Any, Callable[..., Tensor]] = {
    torch.randn: GivenNoise.normal,
    torch.rand: GivenNoise.uniform,
    torch.randint: GivenNoise.integers,
    torch.multinomial: GivenNoise.categorical,
}
