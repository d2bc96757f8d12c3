"""Frey faces: frames of a video of one face."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.download import explain_unreadable, fetch
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.splits import split_in_order

URL = "https://cs.nyu.edu/~roweis/data/frey_rawface.mat"
MATLAB, NUMPY = "frey_rawface.mat", "frey_faces_uint8_1965x28x20.npy"
SHAPE = (1, 28, 20)


class FreyFacesDataModule(ImageDataModule):
    """1,965 gray images of 1 x 28 x 20: the face of Brendan Frey, in random order, without labels (Roweis).

    Args:
        root: directory that contains `frey_rawface.mat`, or `frey_faces_uint8_1965x28x20.npy`.
        download: download the file if it is missing.
        val_size: number of validation images.
        test_size: number of test images.
        split_seed: seed of the order, which does not depend on `seed`.
        **loading: arguments of `ImageDataModule`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": SHAPE, "batch_size": 100}

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_size: int = 200,
        test_size: int = 200,
        split_seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**{**self.defaults, **loading})
        self.root = Path(root).expanduser()
        self.download = download
        self.val_size, self.test_size, self.split_seed = val_size, test_size, split_seed

    def prepare_data(self) -> None:
        """Download the file if it is missing.

        Raises:
            UserError: if it is missing and cannot be downloaded.
        """
        if self.download and not any((self.root / name).is_file() for name in (MATLAB, NUMPY)):
            fetch(URL, self.root / MATLAB, "frey_faces", "digits")

    def load(self) -> dict[str, Batch]:
        """Read, shuffle and split the images.

        Raises:
            UserError: if the file is missing or damaged.
        """
        path = self.root / (NUMPY if (self.root / NUMPY).is_file() else MATLAB)
        with explain_unreadable("frey_faces", path):
            images = torch.from_numpy(read(path))
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.split_seed))
        return split_in_order(Batch(images[order], None), self.val_size, self.test_size)


def read(path: Path) -> np.ndarray:
    """Read the images of either file, uint8 (N, 1, 28, 20)."""
    if path.name == NUMPY:
        return np.load(path).reshape(-1, *SHAPE)
    from scipy.io import loadmat  # slow to import, and only this dataset needs it

    return np.ascontiguousarray(loadmat(path)["ff"].T).reshape(-1, *SHAPE)
