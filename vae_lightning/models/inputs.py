"""Images and labels as a user passes them, checked and converted for a model."""

from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.types import Shape

Rows = TypeVar("Rows", Tensor, Tensor | None)


def unpack(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Return images and labels of a batch: images, (images,) or (images, labels).

    Raises:
        UserError: if it is anything else.
    """
    if isinstance(batch, Tensor):
        return batch, None
    if isinstance(batch, tuple | list) and 1 <= len(batch) <= 2:
        return batch[0], batch[1] if len(batch) == 2 else None
    kind = f"a {type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, tuple | list) else "")
    raise UserError(f"batch: must be images, or (images, labels), got {kind}. Change what the dataset returns.")


def to_unit_interval(x: Tensor, image_shape: Shape, dtype: str | torch.dtype, check_values: bool) -> Tensor:
    """Convert images (B, C, H, W), uint8 or float in [0, 1], to [0, 1] and another type.

    Args:
        x: the images.
        image_shape: (C, H, W).
        dtype: of the result.
        check_values: whether to check that floats lie in [0, 1], which waits for the device.

    Raises:
        UserError: if the shape is wrong, or floats lie outside [0, 1].
    """
    if not isinstance(x, Tensor):
        raise UserError(f"encode: images must be a tensor, got {type(x).__name__}. Pass torch.as_tensor(x).")
    if x.shape[1:] != image_shape:
        shape = ", ".join(map(str, image_shape))
        raise UserError(f"encode: images must have shape (B, {shape}), got {tuple(x.shape)}.")
    if x.dtype == torch.uint8:
        return x.to(dtype) / 255
    is_traced = torch.compiler.is_exporting() or torch.jit.is_tracing()  # type: ignore[attr-defined]
    if check_values and x.numel() and not is_traced:
        low, high = x.min().item(), x.max().item()
        if not 0 <= low <= high <= 1:
            raise UserError(
                f"encode: images must lie in [0, 1], got values from {low} to {high}. Scale them, or pass uint8."
            )
    return x.to(dtype)


def to_condition(y: Tensor | None, size: int, dtype: str | torch.dtype) -> Tensor:
    """Convert classes (B,) to one-hot vectors (B, K), and keep attributes (B, K).

    Args:
        y: the labels.
        size: K, the number of classes or attributes.
        dtype: of the result.

    Raises:
        UserError: if labels are missing or have another shape, or on the CPU, if one of them is not a class.
    """
    if y is None:
        raise UserError("y: this model is conditional. Pass the labels y, int64 of shape (B,).")
    check_labels_are_tensor(y)
    if y.dim() != 1 and y.shape[1:] != (size,):
        raise UserError(f"y: must be classes (B,) or attributes (B, {size}), got shape {tuple(y.shape)}.")
    if y.dim() == 2:
        return y.to(dtype)
    if y.is_floating_point() or y.dtype == torch.bool:
        raise UserError(f"y: classes must be integers, got {y.dtype}. Pass y.long().")
    if y.device.type == "cpu" and len(y) and not 0 <= y.min() <= y.max() < size:
        raise UserError(f"y: the classes of this model are 0 to {size - 1}, got {int(y.min())} to {int(y.max())}.")
    return F.one_hot(y.long(), size).to(dtype)


def check_labels_are_tensor(y: Any) -> None:
    """Check that labels are a tensor or None.

    Raises:
        UserError: if they are anything else.
    """
    if y is not None and not isinstance(y, Tensor):
        raise UserError(f"y: must be a tensor, got {type(y).__name__}. Pass torch.tensor([...]).")


def condition_size(conditional: bool, num_classes: int | None) -> int:
    """Return the number of values of the condition, K, or 0 for a model that is not conditional.

    Raises:
        UserError: if the model is conditional but the data has no labels.
    """
    if conditional and num_classes is None:
        raise UserError("model.conditional=true: the data has no labels. Set model.conditional=false.")
    return num_classes if conditional and num_classes else 0


def repeat_rows(x: Rows, k: int) -> Rows:
    """Repeat a batch k times in a row, (k·B, ...); None stays None."""
    return x if x is None else x.repeat(k, *[1] * (x.dim() - 1))
