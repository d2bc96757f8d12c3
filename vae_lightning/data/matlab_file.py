"""Base class of datasets in one file of MATLAB."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.download import explain_unreadable, fetch
from vae_lightning.data.in_memory import Batch

SHAPE = (1, 28, 28)


class MatlabDataModule(ImageDataModule):
    """Images of 1 x 28 x 28 in one file of MATLAB. A subclass defines the attributes below and what the file contains.

    Args:
        root: directory that contains the file.
        download: download the file if it is missing.
        **loading: arguments of `ImageDataModule`.

    Attributes:
        choice: name of the dataset in conf/data/.
        url: of the file.
    """

    choice: ClassVar[str]
    url: ClassVar[str]
    defaults: ClassVar[dict[str, Any]] = {"image_shape": SHAPE, "batch_size": 100}

    def __init__(self, *, root: str = "data", download: bool = True, **loading: Any) -> None:
        super().__init__(**{**self.defaults, **loading})
        self.root = Path(root).expanduser()
        self.download = download

    @abstractmethod
    def read(self, arrays: dict[str, np.ndarray]) -> dict[str, Batch]:
        """Return the splits. Any exception means that the file is damaged.

        Args:
            arrays: the contents of the file, by name.
        """

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.root / self.url.rpartition("/")[2]

    def prepare_data(self) -> None:
        """Download the file if it is missing.

        Raises:
            UserError: if it is missing and cannot be downloaded.
        """
        if self.download and not self.path.is_file():
            fetch(self.url, self.path, self.choice, "digits")

    def load(self) -> dict[str, Batch]:
        """Read the splits.

        Raises:
            UserError: if the file is missing or damaged.
        """
        from scipy.io import loadmat  # slow to import

        with explain_unreadable(self.choice, self.path):
            return self.read(loadmat(self.path))


def as_images(pixels: np.ndarray) -> Tensor:
    """Convert pixels from 0 to 1, (N, 784), column by column as MATLAB stores a matrix, to uint8 (N, 1, 28, 28).

    Raises:
        ValueError: if they are not from 0 to 1, or of another shape.
    """
    images = pixels.reshape(-1, *SHAPE).transpose(0, 1, 3, 2)
    if images.min() < 0 or images.max() > 1:
        raise ValueError(f"its pixels are from {images.min():g} to {images.max():g}")
    return torch.from_numpy((255 * images.astype(np.float32)).round().astype(np.uint8))
