"""What a metric is given: codes and factors, as NumPy arrays or tensors, checked once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vae_lightning.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_array(values: Any) -> NDArray[Any]:
    """A NumPy array of a tensor on any device, an array or nested lists."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def as_codes(codes: Any) -> Floats:
    """Representations as float64 (N, D).

    Raises:
        UserError: when they have another number of dimensions, or are not all finite.
    """
    z = as_array(codes).astype(np.float64)
    if z.ndim != 2:
        raise UserError(f"codes must be (N, D), one row an image, not {z.shape}")
    if not np.isfinite(z).all():
        raise UserError("codes must be finite numbers; some are NaN or infinite")
    return z


def as_factors(factors: Any) -> Ints:
    """Factors, classes or attributes as int64 (N, A), the values of each column numbered 0, 1, ... in their order.

    Raises:
        UserError: when they are no whole numbers of shape (N,) or (N, A).
    """
    y = as_array(factors)
    if y.ndim not in (1, 2):
        raise UserError(f"factors must be (N,) or (N, A), one row an image, not {y.shape}")
    if not (y == np.floor(y)).all():
        raise UserError("factors must be whole numbers, the index of each value; these are fractions")
    return np.stack([np.unique(column, return_inverse=True)[1] for column in y.reshape(len(y), -1).T], axis=1)


def paired(codes: Any, factors: Any, *, at_least: int = 1, times: int = 1) -> tuple[Floats, Ints]:
    """Codes (N, D) and those factors (N, A) that vary: a factor that is the same in all images says nothing of a code.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A).
        at_least: the number of factors that the metric needs.
        times: how often two values of a factor must occur; 2 where a value is held fixed, or learned and tested.

    Raises:
        UserError: when the numbers of rows differ, or too few factors vary.
    """
    z, y = as_codes(codes), as_factors(factors)
    if len(z) != len(y):
        raise UserError(f"{len(z)} codes but {len(y)} rows of factors: give one row of each an image")
    y = y[:, [(np.bincount(column) >= times).sum() >= 2 for column in y.T]]
    if y.shape[1] < at_least:
        raise UserError(f"this metric needs at least {at_least} factors that vary, and here are {y.shape[1]}")
    return z, y


def halves(values: Ints, seed: int) -> tuple[Ints, Ints]:
    """Two random halves of the rows, int64 indices, with the values (N,) in proportion.

    A value that occurs twice or more is in both: what one half teaches, the other can test.
    """
    shuffled = np.random.default_rng(seed).permutation(len(values))
    by_value = shuffled[np.argsort(values[shuffled], kind="stable")]
    return by_value[::2], by_value[1::2]
