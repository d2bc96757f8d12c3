"""Loops over passes of a long computation, which a caller can follow and interrupt."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

Track = Callable[[range], Iterable[int]]  # returns the range, wrapped in a progress bar
Compute = Callable[[int], Tensor]  # number of the pass -> its rows
Collect = Callable[[range, Compute], Tensor]  # computes the rows of all passes, and concatenates them


def collect(passes: range, compute: Compute) -> Tensor:
    """Concatenate the rows that `compute` returns for each pass."""
    return torch.cat([compute(i) for i in passes])
