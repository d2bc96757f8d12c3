"""Random changes of a batch of images, the same for any number of processes."""

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows


def binarized(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Set each pixel to 255 with the probability of its gray value, else to 0: uint8 of the same shape."""
    shape = (global_batch_size(len(x)), *x.shape[1:])
    if x.dtype == torch.uint8:
        threshold = torch.randint(255, shape, generator=generator, dtype=torch.uint8, device=x.device)
    else:
        threshold = torch.rand(shape, generator=generator, device=x.device)
    return (local_rows(threshold) < x).to(torch.uint8) * 255


def flipped(x: Tensor) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    coins = local_rows(torch.randint(2, (global_batch_size(len(x)), 1, 1, 1), dtype=torch.uint8, device=x.device))
    return torch.where(coins == 1, x.flip(3), x)
