"""Cars3D (Reed et al. 2015), read from its official archive."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.factor_files import FactorFilesDataModule, FactorImages
from vae_lightning.data.factors import all_combinations

SUFFIX = "_mesh.mat"  # of a file with all views of one car


class Cars3DDataModule(FactorFilesDataModule):
    """17,568 images of 128 x 128, resized to 3 x 64 x 64: 183 cars seen from every combination of two angles.

    The labels are 4 elevations, 24 azimuths and 183 cars, in the order of their names, int64 (N, 3).
    """

    choice = "cars3d"
    factor_names = ("elevation", "azimuth", "car")
    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 64, 64), "batch_size": 64}
    urls = ("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",)

    def __init__(self, *, val_size: int = 500, test_size: int = 2000, **options: Any) -> None:
        super().__init__(val_size=val_size, test_size=test_size, **options)

    def read(self, paths: list[Path]) -> FactorImages:
        """Read the views of one car at a time.

        Raises:
            ValueError: if there are no cars.
        """
        (path,) = paths
        with tarfile.open(path) as archive:
            names = [name for name in archive.getnames() if name.endswith(SUFFIX)]
        if not names:
            raise ValueError(f"it has no files *{SUFFIX}")
        angles = next(read_cars(path)).shape[:2]
        place, elevation, azimuth = all_combinations((len(names), *angles)).T
        factors = np.stack([elevation, azimuth, np.argsort(np.argsort(names))[place]], axis=1)
        return FactorImages(factors, (views.reshape(-1, *views.shape[2:]) for views in read_cars(path)))


def read_cars(path: Path) -> Iterator[np.ndarray]:
    """Iterate over the views of each car (elevations, azimuths, C, H, W), in the order of the archive."""
    from scipy.io import loadmat  # slow to import

    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith(SUFFIX):
                yield loadmat(archive.extractfile(member))["im"].transpose(4, 3, 2, 0, 1)
