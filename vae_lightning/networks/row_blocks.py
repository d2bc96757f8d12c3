"""Applying a network to many rows on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

ROWS = 512  # the activations of this many images of 28 x 28 fit in the cache of a CPU


def apply_in_blocks(module: nn.Module, x: Tensor) -> Tensor:
    """Return module(x), computed in blocks of rows if there are many of them.

    Importance-weighted bounds decode thousands of latents per step. In one piece, every layer would read and write
    activations that do not fit the cache: with 8,192 rows and the default network, forward and backward pass take
    twice as long. The result is the same up to rounding.

    Args:
        module: maps each row by itself. One that normalizes over the batch is applied to all rows at once.
        x: (B, ...).
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined]
        return module(x)
    if len(x) <= 2 * ROWS or (module.training and any(isinstance(part, _BatchNorm) for part in module.modules())):
        return module(x)
    return torch.cat([module(block) for block in x.split(ROWS)])
