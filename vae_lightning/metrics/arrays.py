"""Conversion and validation of the inputs of metrics: codes and factors, as NumPy arrays or tensors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vae_lightning.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_array(values: Any) -> NDArray[Any]:
    """Convert a tensor on any device, an array or nested lists to a NumPy array."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def as_codes(codes: Any) -> Floats:
    """Convert representations to float64 of shape (N, D).

    Raises:
        UserError: if they do not have two dimensions, or are not all finite.
    """
    z = as_array(codes).astype(np.float64)
    if z.ndim != 2:
        raise UserError(f"codes: must have shape (N, D), one row per image, got {z.shape}.")
    if not np.isfinite(z).all():
        raise UserError("codes: must be finite, but some are NaN or infinite.")
    return z


def as_factors(factors: Any) -> Ints:
    """Convert factors, classes or attributes to int64 of shape (N, A).

    The values of each column are numbered 0, 1, ... in ascending order.

    Raises:
        UserError: if they are not integers of shape (N,) or (N, A).
    """
    y = as_array(factors)
    if y.ndim not in (1, 2):
        raise UserError(f"factors: must have shape (N,) or (N, A), one row per image, got {y.shape}.")
    if not (y == np.floor(y)).all():
        raise UserError("factors: must be integers, the index of each value, but some are fractions.")
    return np.stack([np.unique(column, return_inverse=True)[1] for column in y.reshape(len(y), -1).T], axis=1)


def as_codes_and_factors(codes: Any, factors: Any, *, min_factors: int = 1, min_count: int = 1) -> tuple[Floats, Ints]:
    """Convert codes to (N, D) and factors to (N, A), keeping only the factors that vary.

    A factor that is the same in all images carries no information about a code.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A).
        min_factors: the number of varying factors that the metric needs.
        min_count: how often at least two values of a factor must occur. Use 2 if a value is held fixed, or needed both
            for training and for testing.

    Raises:
        UserError: if the numbers of rows differ, or too few factors vary.
    """
    z, y = as_codes(codes), as_factors(factors)
    if len(z) != len(y):
        raise UserError(f"{len(z)} codes but {len(y)} rows of factors. Pass one row of each per image.")
    y = y[:, [(np.bincount(column) >= min_count).sum() >= 2 for column in y.T]]
    if y.shape[1] < min_factors:
        raise UserError(f"factors: this metric needs at least {min_factors} that vary, got {y.shape[1]}.")
    return z, y


def split_halves(values: Ints, seed: int) -> tuple[Ints, Ints]:
    """Split the rows of values (N,) into two random stratified halves and return their int64 indices.

    A value that occurs at least twice is in both halves, so it can be both trained and tested on.
    """
    shuffled = np.random.default_rng(seed).permutation(len(values))
    by_value = shuffled[np.argsort(values[shuffled], kind="stable")]
    return by_value[::2], by_value[1::2]
