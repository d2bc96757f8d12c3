"""Conversion and validation of the inputs of metrics: codes and factors, as NumPy arrays or tensors."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_lightning.errors import UserError, one_line

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_array(values: Any) -> NDArray[Any]:
    """Convert a tensor on any device, an array or nested lists to a NumPy array; bfloat16 becomes float32."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def as_tensor(values: Any) -> Tensor:
    """Convert an array or nested lists to a tensor on the CPU. A tensor is returned as it is."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))


def as_numbers(values: Any, name: str) -> Floats:
    """Convert numbers to float64.

    Raises:
        UserError: if some are not numbers, or not finite.
    """
    try:
        numbers = as_array(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name}: must be numbers ({one_line(error)}). Convert them first, for example classes to their indices."
        ) from error
    if not np.isfinite(numbers).all():
        raise UserError(f"{name}: must be finite, but some are NaN or infinite.")
    return numbers


def as_columns(values: Any, name: str) -> NDArray[Any]:
    """Convert values of shape (N,) or (N, A) to an array of shape (N, A).

    Raises:
        UserError: if they have another shape, or there are none.
    """
    y = as_array(values)
    if y.ndim not in (1, 2) or not y.size:
        raise UserError(f"{name}: must have shape (N,) or (N, A), one row per image, got {y.shape}.")
    return y.reshape(len(y), -1)


def as_codes(codes: Any) -> Floats:
    """Convert representations to float64 of shape (N, D).

    Raises:
        UserError: if they are not finite numbers of two dimensions, of at least one image and one latent.
    """
    z = as_numbers(codes, "codes")
    if z.ndim != 2 or not z.size:
        raise UserError(f"codes: must have shape (N, D), one row per image and one column per latent, got {z.shape}.")
    return z


def as_factors(factors: Any) -> Ints:
    """Convert factors, classes or attributes to int64 of shape (N, A).

    The values of each column are numbered 0, 1, ... in ascending order.

    Raises:
        UserError: if they are not integers of shape (N,) or (N, A).
    """
    y = as_columns(as_numbers(factors, "factors"), "factors")
    if not (y == np.floor(y)).all():
        raise UserError("factors: must be integers, the index of each value, but some are fractions.")
    return np.stack([np.unique(column, return_inverse=True)[1] for column in y.T], axis=1)


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
        UserError: if the numbers of rows differ, or too few factors vary, with as many images per value.
    """
    z, y = as_codes(codes), as_factors(factors)
    check_rows(z, y)
    y = y[:, [(np.bincount(column) >= min_count).sum() >= 2 for column in y.T]]
    if y.shape[1] < min_factors:
        counted = f" Only those count with two values in at least {min_count} images each." * (min_count > 1)
        raise UserError(f"factors: this metric needs at least {min_factors} that vary, got {y.shape[1]}.{counted}")
    return z, y


def as_codes_and_quantities(codes: Any, quantities: Any) -> tuple[Floats, Floats]:
    """Convert codes to (N, D) and quantities, which may be fractions, to (N, A), keeping only those that vary.

    Raises:
        UserError: if the numbers of rows differ, or no quantity varies.
    """
    z, v = as_codes(codes), as_columns(as_numbers(quantities, "factors"), "factors")
    check_rows(z, v)
    v = v[:, np.ptp(v, axis=0) > 0]
    if not v.size:
        raise UserError("factors: this metric needs at least 1 that vary, got 0.")
    return z, v


def check_rows(codes: Floats, factors: NDArray[Any]) -> None:
    """Check that there are as many codes as rows of factors.

    Raises:
        UserError: if not.
    """
    if len(codes) != len(factors):
        raise UserError(f"{len(codes)} codes but {len(factors)} rows of factors. Pass one row of each per image.")


def split_halves(values: Ints, seed: int) -> tuple[Ints, Ints]:
    """Split the rows of values (N,) into two random stratified halves and return their int64 indices.

    A value that occurs at least twice is in both halves, so it can be both trained and tested on.
    """
    shuffled = np.random.default_rng(seed).permutation(len(values))
    by_value = shuffled[np.argsort(values[shuffled], kind="stable")]
    return by_value[::2], by_value[1::2]
