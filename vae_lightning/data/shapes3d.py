"""3D Shapes (Burgess & Kim 2018), read from its official file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.factor_files import FactorFilesDataModule, FactorImages
from vae_lightning.errors import UserError

ROWS = 2000  # read at a time, 25 MB


class Shapes3DDataModule(FactorFilesDataModule):
    """480,000 images of 3 x 64 x 64: an object in a room, in every combination of six factors.

    The labels are 10 hues of the floor, 10 of the wall, 10 of the object, 8 scales, 4 shapes and 15 orientations,
    int64 (N, 6), as indices of their values. Requires `pip install 'vae-lightning[hdf5]'`.
    """

    choice = "shapes3d"
    factor_names = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 64, 64), "batch_size": 64}
    urls = ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",)

    def read(self, paths: list[Path]) -> FactorImages:
        """Read factors, which are stored as floats, and images.

        Raises:
            UserError: if h5py is not installed.
        """
        try:
            import h5py
        except ImportError as error:
            fix = "Install it with pip install 'vae-lightning[hdf5]'."
            raise UserError(f"data=shapes3d: requires h5py. {fix}") from error
        (path,) = paths
        with h5py.File(path) as file:
            columns = file["labels"][:].T
        factors = np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)

        def blocks() -> Iterator[np.ndarray]:
            with h5py.File(path) as file:
                images = file["images"]
                for start in range(0, len(images), ROWS):
                    yield images[start : start + ROWS].transpose(0, 3, 1, 2)

        return FactorImages(factors.astype(np.int64), blocks())
