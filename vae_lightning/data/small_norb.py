"""SmallNORB (LeCun et al. 2004), read from its official files."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.download import explain_unreadable
from vae_lightning.data.factor_files import FactorFilesDataModule, FactorImages
from vae_lightning.data.npz import read_rows

URL = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/smallnorb-{part}-{kind}.mat.gz"
PARTS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
KINDS = ("dat", "cat", "info")  # images, categories, and the other factors
# by the magic number of a file
DTYPES: dict[int, np.dtype[Any]] = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}
ROWS = 1000  # pairs of images read at a time, 18 MB


class SmallNORBDataModule(FactorFilesDataModule):
    """48,600 photographs of 96 x 96, resized to 1 x 64 x 64: toys from every combination of four factors.

    The labels are 5 categories, 9 elevations, 18 azimuths and 6 lightings, int64 (N, 4). Each combination occurs for
    10 toys, which are not told apart. Both official parts are used, and of each stereo pair the first image.
    """

    choice = "small_norb"
    factor_names = ("category", "elevation", "azimuth", "lighting")
    defaults: ClassVar[dict[str, Any]] = {"image_shape": (1, 64, 64), "batch_size": 64}
    urls = tuple(URL.format(part=part, kind=kind) for part in PARTS for kind in KINDS)

    def __init__(self, *, val_size: int = 1000, test_size: int = 5000, **options: Any) -> None:
        super().__init__(val_size=val_size, test_size=test_size, **options)

    def read(self, paths: list[Path]) -> FactorImages:
        """Read factors, of which azimuths are numbered 0, 2, 4, ... in the files, and images."""
        images, categories, infos = paths[::3], paths[1::3], paths[2::3]
        category = np.concatenate([self.read_matrix(path) for path in categories])
        _, elevation, azimuth, lighting = np.concatenate([self.read_matrix(path) for path in infos]).T
        factors = np.stack([category, elevation, azimuth // 2, lighting], axis=1).astype(np.int64)
        return FactorImages(factors, (rows[:, :1] for path in images for rows in self.stream_matrix(path)))

    def read_matrix(self, path: Path) -> np.ndarray:
        """Read the array in a file."""
        return np.concatenate([*self.stream_matrix(path)])

    def stream_matrix(self, path: Path) -> Iterator[np.ndarray]:
        """Iterate over the rows of the array in a file, `ROWS` at a time.

        Raises:
            UserError: if the file is damaged.
        """
        with explain_unreadable(self.choice, path), open_matrix(path) as (file, dtype, shape):
            yield from read_rows(file, dtype, shape, ROWS)


@contextmanager
def open_matrix(path: Path) -> Iterator[tuple[gzip.GzipFile, np.dtype[Any], tuple[int, ...]]]:
    """Open an array in NORB's binary format at its first row; give the open file, the type and the shape.

    Raises:
        KeyError: if it has another format.
    """
    with gzip.open(path) as file:
        magic, dimensions = np.frombuffer(file.read(8), "<i4").tolist()
        shape = np.frombuffer(file.read(4 * max(3, dimensions)), "<i4")[:dimensions]  # at least three are stored
        yield file, DTYPES[magic], tuple(shape.tolist())
