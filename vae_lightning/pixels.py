"""Values of images: 8 bits from 0 to 255, or floats from 0 to 1."""

import torch
from torch import Tensor


def to_float(x: Tensor) -> Tensor:
    """Convert images, uint8 or float in [0, 1], to float32 in [0, 1]."""
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()


def to_8_bit(x: Tensor) -> Tensor:
    """Round images, uint8 or float in [0, 1], to uint8."""
    return x if x.dtype == torch.uint8 else (255 * x).round().to(torch.uint8)


def max_value(x: Tensor) -> int:
    """Return the largest value that pixels of this type can have, 255 or 1."""
    return 255 if x.dtype == torch.uint8 else 1
