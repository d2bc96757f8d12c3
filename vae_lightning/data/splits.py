"""Division of images into training, validation and test images."""

import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError

T = TypeVar("T")


def stratified_split(images: Batch, size: int, seed: int) -> tuple[Batch, Batch]:
    """Split off `size` images with the same class proportions; return (remaining images, split-off images).

    Raises:
        UserError: if either part would have fewer images than there are classes.
    """
    from sklearn.model_selection import train_test_split  # slow to import, and only some datasets need it

    x, y = images
    assert y is not None
    if size == 0:
        return images, Batch(x[:0], y[:0])
    num_classes = len(y.unique())
    if not num_classes <= size <= len(x) - num_classes:
        raise UserError(
            f"data: cannot hold out {size} of {len(x)} images of {num_classes} classes. Set data.val_size and"
            f" data.test_size to {num_classes} or more, leaving as many for training."
        )
    kept, held_out = train_test_split(np.arange(len(x)), test_size=size, stratify=y.numpy(), random_state=seed)
    return Batch(x[kept], y[kept]), Batch(x[held_out], y[held_out])


def split_in_order(images: Batch, val_size: int, test_size: int) -> dict[str, Batch]:
    """Split images that are already in random order into consecutive parts, without copying them.

    Raises:
        UserError: if no training images would be left.
    """
    n = len(images.x)
    if val_size + test_size >= n:
        raise UserError(
            f"data: {n:,} images are too few for data.val_size={val_size} and data.test_size={test_size}."
            " Set smaller sizes."
        )
    sizes = [test_size, val_size, n - val_size - test_size]
    labels = [None] * 3 if images.y is None else images.y.split(sizes)
    parts = (Batch(x, y) for x, y in zip(images.x.split(sizes), labels, strict=True))
    test, val, train = parts
    return {"train": train, "val": val, "test": test}


def hold_out(items: Iterable[T], fractions: dict[str, float], seed: int) -> dict[str, list[T]]:
    """Split off random parts, one after the other.

    Args:
        items: images by name or index.
        fractions: name of each part, and its fraction of the items that are left.
        seed: of the random order.

    Returns:
        The items of each part, and those that are left as `train`.

    Raises:
        UserError: if a fraction is not in [0, 1), or no item would be left or be in the part `test`.
    """
    generator = np.random.default_rng(seed)
    parts = {"train": list(items)}
    for name, fraction in fractions.items():
        shuffled = [parts["train"][i] for i in generator.permutation(len(parts["train"]))]
        n = round(fraction * len(shuffled))
        check_sizes(name, fraction, n, len(shuffled))
        parts[name], parts["train"] = shuffled[:n], shuffled[n:]
    return parts


def check_sizes(name: str, fraction: float, size: int, total: int) -> None:
    """Check that neither a held-out part of `size` items nor what is left of the `total` is empty.

    Raises:
        UserError: if the fraction is not in [0, 1), nothing is left, or the part `test` is empty.
    """
    option = f"data.{name}_fraction={fraction}"
    if not 0 <= fraction < 1:
        raise UserError(f"{option}: must be a number >= 0 and < 1.")
    if size == total:
        raise UserError(
            f"{option}: of {total} images, none would be left for training. Set a smaller one, or add images."
        )
    if name == "test" and size == 0:
        enough = f"Set {math.ceil(100 / total) / 100:g} or more, or add" if total > 1 else "Add"
        raise UserError(f"{option}: of {total} images, none would be left for testing. {enough} images.")
