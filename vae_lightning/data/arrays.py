"""Arrays in memory, or in a NumPy file."""

import hashlib
import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from vae_lightning.data.base import ImageDataModule, check_unit_interval
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.splits import hold_out
from vae_lightning.errors import UserError, as_user_error, check_choice
from vae_lightning.types import SPLITS, Shape

log = logging.getLogger(__name__)

NUMPY_FILE = (b"PK", b"\x93NUMPY")  # the first bytes of .npz and .npy files
NAMES = [f"{kind}_{split}" for split in SPLITS for kind in "xy"]  # of the arrays in a file


class ArrayDataModule(ImageDataModule):
    """Images in arrays or tensors, with or without labels. They are copied.

    >>> data = ArrayDataModule(np.zeros((100, 28, 28)), np.arange(100) % 10)
    >>> data.image_shape
    (1, 28, 28)

    Images have the shape (N, H, W), (N, C, H, W), or (N, H, W, C) with 1 or 3 channels. They are uint8 from 0 to 255,
    floats from 0 to 1, or bool. Labels are integers: classes (N,), or factors (N, A), which are attributes if
    `num_classes` is A.

    Args:
        x_train: images, from which those of missing splits are held out at random.
        y_train: their labels; None for unlabeled images.
        val: images for validation, or a pair of images and labels.
        test: images for testing, or a pair of images and labels.
        root: an .npz file of arrays `x_train`, `y_train`, `x_val`, `y_val`, `x_test` and `y_test`, of which only the
            first is required, or an .npy file of images; instead of the arrays above.
        val_fraction: fraction of the training images held out for validation, if there are no images for it.
        test_fraction: fraction of the training images held out for testing, if there are no images for it.
        split_seed: seed of the splits, which do not depend on `seed`.
        image_shape: (C, H, W); None for that of the images.
        dtype: `uint8` rounds floats to 8 bits, `float32` keeps them, in four times the memory.
        **loading: arguments of `ImageDataModule`.

    Raises:
        UserError: if images or labels have another shape or type, the file is missing or damaged, or no image would be
            left for training or for testing.
    """

    def __init__(
        self,
        x_train: ArrayLike | Tensor | None = None,
        y_train: ArrayLike | Tensor | None = None,
        val: Any = None,
        test: Any = None,
        *,
        root: str | None = None,
        val_fraction: float = 0.05,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        image_shape: Shape | None = None,
        dtype: str = "uint8",
        **loading: Any,
    ) -> None:
        if (root is None) == all(array is None for array in (x_train, y_train, val, test)):
            raise UserError(f"data.root={root}: the images are either arrays or a file. Pass x_train or root.")
        self.root = None if root is None else Path(root).expanduser()
        arrays = read_arrays(self.root) if self.root else {"train": (x_train, y_train), "val": val, "test": test}
        self.dtype = check_choice("data.dtype", dtype, ("uint8", "float32"))
        given = {split: to_batch(split, value, dtype) for split, value in arrays.items() if value is not None}
        check_same_shape(given)
        n, channels, height, width = given["train"].x.shape
        super().__init__(image_shape=image_shape or (channels, height, width), **loading)
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        fractions = {"test": test_fraction, "val": val_fraction}
        missing = {split: fraction for split, fraction in fractions.items() if split not in given}
        parts = hold_out(range(n), missing, split_seed)
        self.given = {*given}
        self.arrays = given | {name: given["train"].rows(torch.tensor(i).long()) for name, i in parts.items()}

    @cached_property
    def identity(self) -> str:
        """Hash of the images of each split."""
        digest = hashlib.sha256()
        for split in SPLITS:
            x = self.arrays[split].x
            digest.update(f"{tuple(x.shape)}".encode())
            digest.update(x.flatten().numpy().data)
        return digest.hexdigest()

    @property
    def has_test_split(self) -> bool:
        """Whether there are test images among the arrays."""
        return "test" in self.given

    def load(self) -> dict[str, Batch]:
        """Return the images and labels of each split."""
        return {split: self.arrays[split] for split in SPLITS}


def read_arrays(path: Path) -> Mapping[str, Any]:
    """Read the images of each split in a file, or pairs of images and labels.

    Raises:
        UserError: if it is missing or damaged, or its arrays have other names.
    """
    if not path.is_file():
        raise UserError(f"data.root={path}: no such file. Set data.root to an .npz or .npy file.")
    with path.open("rb") as stream:
        if not stream.read(6).startswith(NUMPY_FILE):
            raise UserError(f"data.root={path}: not an .npz or .npy file. Write one with numpy.savez or numpy.save.")
    unreadable = f"data.root={path}: cannot be read ({{error}}). Write it again with numpy.savez or numpy.save."
    with as_user_error(unreadable), path.open("rb") as stream:
        file = np.load(stream, allow_pickle=False)
        arrays = {"x_train": file} if isinstance(file, np.ndarray) else dict(file)
    if "x_train" not in arrays:
        raise UserError(f"data.root={path}: contains arrays {', '.join(arrays)}. Name the training images x_train.")
    if unknown := arrays.keys() - {*NAMES}:
        raise UserError(
            f"data.root={path}: contains arrays of unknown names, {', '.join(sorted(unknown))}. Remove them, or use"
            f" {', '.join(NAMES)}."
        )
    for split in SPLITS:
        if f"y_{split}" in arrays and f"x_{split}" not in arrays:
            raise UserError(
                f"data.root={path}: contains y_{split} without x_{split}. Add the images, or remove the labels."
            )
    return {split: (arrays[f"x_{split}"], arrays.get(f"y_{split}")) for split in SPLITS if f"x_{split}" in arrays}


def to_batch(split: str, arrays: Any, dtype: str) -> Batch:
    """Convert images, or a pair of images and labels.

    Raises:
        UserError: if they have another shape or type, or there are not as many labels as images.
    """
    images, labels = arrays if isinstance(arrays, tuple) else (arrays, None)
    x, y = to_images(split, images, dtype), None if labels is None else to_labels(split, labels)
    if y is not None and len(y) != len(x):
        raise UserError(f"data: there are {len(x)} {split} images but {len(y)} labels. Pass one per image.")
    return Batch(x, y)


def to_images(split: str, images: ArrayLike | Tensor, dtype: str) -> Tensor:
    """Convert images of any accepted shape and type to (N, C, H, W), uint8 or float32 in [0, 1], and copy them.

    Raises:
        UserError: if the shape, the type or the range of the values is another.
    """
    x = channels_first(split, to_numpy(f"{split} images", images))
    if x.dtype == np.uint8 and x.max() <= 1:
        log.warning("data: the %s images have values up to %s, not 255. Multiply them by 255.", split, x.max())
    if x.dtype == bool:
        x = x * np.uint8(255)
    if x.dtype == np.uint8:
        values = x if dtype == "uint8" else np.divide(x, 255, dtype=np.float32)
    else:
        if x.dtype.kind != "f":
            raise UserError(
                f"data: the {split} images are {x.dtype}. Convert them to uint8 from 0 to 255, or to floats from 0 to"
                " 1 (with data.dtype=float32 they are not rounded)."
            )
        check_unit_interval(split, x.min(), x.max(), ", or convert them to uint8 from 0 to 255")
        values = np.rint(255 * x) if dtype == "uint8" else x
    return torch.from_numpy(values.astype(dtype, order="C"))


def channels_first(split: str, x: np.ndarray) -> np.ndarray:
    """Return images (N, H, W), (N, C, H, W) or (N, H, W, C) as (N, C, H, W); warn if C could be last but is unusual.

    Raises:
        UserError: if the shape is another.
    """
    if x.ndim == 3:
        x = x[:, None]
    if x.ndim != 4 or not x.size:
        raise UserError(
            f"data: the {split} images have shape {x.shape}. Reshape them to (N, H, W), (N, C, H, W) or (N, H, W, C)."
        )
    if x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        return x.transpose(0, 3, 1, 2)
    if x.shape[1] > 16 and x.shape[3] <= 4 < x.shape[2]:
        log.warning(
            "data: the %s images of shape %s have %s channels of %s x %s pixels. If their channels come last, transpose"
            " them to (N, C, H, W).",
            *(split, x.shape, *x.shape[1:]),
        )
    return x


def to_labels(split: str, labels: ArrayLike | Tensor) -> Tensor:
    """Convert labels to int64 (N,) or (N, A).

    Raises:
        UserError: if they are no integers, or have another shape.
    """
    y = to_numpy(f"{split} labels", labels)
    if y.dtype.kind not in "biu" or y.ndim not in (1, 2):
        raise UserError(
            f"data: the {split} labels are {y.dtype} of shape {y.shape}. Convert them to integers of shape (N,) or"
            " (N, A)."
        )
    return torch.tensor(y.astype(np.int64))


def to_numpy(name: str, values: ArrayLike | Tensor) -> np.ndarray:
    """Convert an array, or a tensor on any device, to NumPy.

    Args:
        name: of the values, for messages.
        values: bfloat16, which NumPy does not have, becomes float32.

    Raises:
        UserError: if they do not form one array.
    """
    if isinstance(values, Tensor):
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy(force=True)
    with as_user_error(
        f"data: the {name} are not one array ({{error}}). Pass one; a pair of images and labels is a tuple, and for"
        " training x_train and y_train."
    ):
        return np.asarray(values)


def check_same_shape(splits: Mapping[str, Batch]) -> None:
    """Check that the images of all splits have one shape.

    Raises:
        UserError: if they do not.
    """
    shapes = {name: list(split.x.shape[1:]) for name, split in splits.items()}
    for name, shape in shapes.items():
        if shape != shapes["train"]:
            raise UserError(
                f"data: the {name} images have shape {shape}, but the train images {shapes['train']}. Resize them to"
                " one shape."
            )
