"""Statically binarized MNIST, as published by Hugo Larochelle."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.download import explain_unreadable, fetch
from vae_lightning.data.in_memory import Batch

URL = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"
ARCHIVE = "binarized_mnist_larochelle.npz"
PARTS = {"train": "train", "val": "valid", "test": "test"}
SIZES = {"train": 50_000, "val": 10_000, "test": 10_000}
SHAPE = (1, 28, 28)


class BinarizedMNISTDataModule(ImageDataModule):
    """50,000 training, 10,000 validation and 10,000 test images of 1 x 28 x 28, black and white, without labels.

    Each pixel of MNIST was drawn once with the probability of its gray value (Salakhutdinov & Murray 2008). This sample
    of Larochelle & Murray 2011 is the one of published likelihoods on static MNIST; `data=mnist data.binarize=fixed`
    draws another. Validation and test images, which are sorted by class, are shuffled.

    Args:
        root: directory that contains `binarized_mnist_{train,valid,test}.amat`, or `binarized_mnist_larochelle.npz`
            with arrays `train`, `valid` and `test`, whose rows are packed with `numpy.packbits`.
        download: download missing files.
        **loading: arguments of `ImageDataModule`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": SHAPE}

    def __init__(self, *, root: str = "data", download: bool = True, **loading: Any) -> None:
        super().__init__(**{**self.defaults, **loading})
        self.root = Path(root).expanduser()
        self.download = download

    def prepare_data(self) -> None:
        """Download missing files.

        Raises:
            UserError: if files are missing and cannot be downloaded.
        """
        if self.download and not (self.root / ARCHIVE).is_file():
            for path in (text_file(self.root, part) for part in PARTS.values()):
                if not path.is_file():
                    fetch(f"{URL}/{path.name}", path, "binarized_mnist", "digits")

    def load(self) -> dict[str, Batch]:
        """Read the images of each split.

        Raises:
            UserError: if a file is missing or damaged.
        """
        return {split: Batch(read(self.root, split), None) for split in PARTS}


def text_file(root: Path, part: str) -> Path:
    """Return the path of the official file of a part, which has one line of 784 digits per image."""
    return root / f"binarized_mnist_{part}.amat"


def read(root: Path, split: str) -> Tensor:
    """Read the images of a split, uint8 (N, 1, 28, 28), of values 0 and 255.

    Raises:
        UserError: if the file is missing or damaged.
    """
    path = root / ARCHIVE if (root / ARCHIVE).is_file() else text_file(root, PARTS[split])
    with explain_unreadable("binarized_mnist", path):
        bits = read_archive(path, PARTS[split]) if path.name == ARCHIVE else read_text(path)
        images = bits.reshape(SIZES[split], *SHAPE)
    if split != "train":
        images = images[np.random.default_rng(0).permutation(len(images))]
    return torch.from_numpy(255 * images)


def read_archive(path: Path, part: str) -> np.ndarray:
    """Read the bits of a part from an npz file, uint8 (N, 784)."""
    with np.load(path) as arrays:
        return np.unpackbits(arrays[part], axis=1)[:, :784]


def read_text(path: Path) -> np.ndarray:
    """Read the bits of a text file of zeros, ones and white space, uint8 (N · 784,).

    Raises:
        ValueError: if it contains anything else.
    """
    characters = np.fromfile(path, dtype=np.uint8)
    bits = characters - ord("0")
    is_bit = bits <= 1
    if not np.isin(characters[~is_bit], [ord(c) for c in " \r\n\t"]).all():
        raise ValueError("it contains more than zeros and ones")
    return bits[is_bit]
