"""dSprites (Matthey et al. 2017), read from its official file."""

import errno
import shutil
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.base import split_in_order
from vae_lightning.data.cache import cache_lock, fingerprint
from vae_lightning.data.download import fetch
from vae_lightning.data.factors import FactorDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.mapped_images import open_cache, seal
from vae_lightning.data.sprites import FACTORS
from vae_lightning.errors import UserError, one_line

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
URL = f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{FILE}"
ROWS = 8192  # images read at a time, 32 MB


class DSpritesDataModule(FactorDataModule):
    """737,280 images of 1 x 64 x 64: every combination of 3 shapes, 6 scales, 40 orientations, 32 x and 32 y.

    The labels are these five factors, int64 (N, 5); the sixth, color, is always white. The file is unpacked once, in
    random order, into a cache of 3 GB. It is mapped into memory, so its images are read only when they are used.

    Args:
        root: directory that contains the official npz file.
        download: download the file if it is missing.
        cache: directory of all caches; None for `cache` in the root.
        val_size: number of validation images.
        test_size: number of test images.
        **loading: arguments of `FactorDataModule`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (1, 64, 64), "batch_size": 64}

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        cache: str | None = None,
        val_size: int = 5000,
        test_size: int = 20_000,
        **loading: Any,
    ) -> None:
        super().__init__(**{**self.defaults, **loading})
        self.root = Path(root).expanduser()
        self.cache = Path(cache).expanduser() if cache else self.root / "cache"
        self.download = download
        self.val_size, self.test_size = val_size, test_size
        self.label_names = list(FACTORS)

    def folder(self) -> Path:
        """Return the directory of the cache, whose name depends on the file."""
        return self.cache / f"dsprites-{fingerprint({FILE: self.root / FILE})[:16]}"

    def prepare_data(self) -> None:
        """Download and unpack the file, if that has not been done yet.

        Raises:
            UserError: if the file is missing and cannot be downloaded, or is not the official one.
        """
        path = self.root / FILE
        if not path.is_file():
            if not self.download:
                raise UserError(f"data=dsprites: no {path.resolve()}. Put it there, or set data.root to its directory.")
            fetch(URL, path, "dsprites", "sprites")
        if not self.folder().is_dir():
            with cache_lock(self.cache):
                if not self.folder().is_dir():
                    unpack(path, self.folder())

    def load(self) -> dict[str, Batch]:
        """Open the cache, whose images are in random order, and split it."""
        self.prepare_data()
        return split_in_order(open_cache(self.folder()).splits["all"], self.val_size, self.test_size)


def unpack(path: Path, folder: Path) -> None:
    """Copy the images from the npz file into a cache, in random order, replacing pixel values of 1 by 255.

    Raises:
        UserError: if the file is not the official one.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with zipfile.ZipFile(path) as archive, archive.open("latents_classes.npy") as file:
            factors = np.lib.format.read_array(file)[:, 1:].astype(np.int64)  # (N, 5), without the color
        sizes = factors.max(axis=0) + 1
        grid = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
        if not np.array_equal(grid, factors):
            raise ValueError("its factors do not form a grid")
        position = np.random.default_rng(0).permutation(len(factors))  # of each image in the cache
        with zipfile.ZipFile(path) as archive, archive.open("imgs.npy") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if shape != (len(factors), 64, 64) or dtype != np.uint8:
                raise ValueError(f"its images are {dtype} {shape}")
            images = np.memmap(partial / "images.u8", dtype=np.uint8, mode="w+", shape=shape)
            for start in range(0, shape[0], ROWS):
                rows = np.frombuffer(file.read(ROWS * shape[1] * shape[2]), np.uint8).reshape(-1, *shape[1:])
                images[position[start : start + ROWS]] = 255 * rows
            images.flush()
            file.read(1)  # at its end, zipfile verifies the checksum of the member
    except Exception as error:  # damaged files cause various errors
        # EINVAL is raised for a seek before the start of a truncated file, other OSErrors for writing the cache
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        shutil.rmtree(partial)
        raise UserError(
            f"data=dsprites: {path} is not the official file ({one_line(error)}). Delete it and download it again."
        ) from error
    labels = np.empty_like(factors)
    labels[position] = factors
    np.save(partial / "labels.npy", labels)
    seal(
        partial,
        folder,
        {
            "source": str(path),
            "count": len(factors),
            "image_shape": [1, *shape[1:]],
            "sizes": {"all": len(factors)},
            "label_names": list(FACTORS),
        },
    )
