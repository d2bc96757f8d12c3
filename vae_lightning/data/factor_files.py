"""Base class of datasets whose images show every combination of factors, unpacked from their files once."""

import shutil
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate

from vae_lightning.data.cache import cache_lock, fingerprint, image_progress, reserve
from vae_lightning.data.download import explain_unreadable, fetch
from vae_lightning.data.factors import FactorDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.mapped_images import open_cache, seal
from vae_lightning.data.splits import split_in_order
from vae_lightning.errors import UserError


class FactorImages(NamedTuple):
    """The contents of the files of a dataset.

    Attributes:
        factors: of each image, as indices of their values, int64 (N, A).
        blocks: the images in the same order, some at a time, uint8 (n, C, H, W).
    """

    factors: np.ndarray
    blocks: Iterable[np.ndarray]


class FactorFilesDataModule(FactorDataModule):
    """Images of every combination of factors in files, which are unpacked into a cache once, in random order.

    The cache is mapped into memory, so images are read only when they are used. A subclass defines the attributes below
    and how its files are read.

    Args:
        root: directory of the files.
        download: download files that are missing.
        cache: directory of all caches; None for `cache` in the root.
        val_size: number of validation images.
        test_size: number of test images.
        **loading: arguments of `FactorDataModule`. Images are resized to `image_shape`.

    Attributes:
        choice: name of the dataset in conf/data/.
        factor_names: in the order of the labels.
        urls: of the files.
    """

    choice: ClassVar[str]
    factor_names: ClassVar[tuple[str, ...]]
    urls: tuple[str, ...]

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
        self.label_names = list(self.factor_names)

    @abstractmethod
    def read(self, paths: list[Path]) -> FactorImages:
        """Read the files. Any exception, also one raised while the blocks are read, means that they are damaged.

        Args:
            paths: of the files, in the order of `urls`.
        """

    @property
    def paths(self) -> list[Path]:
        """Path of each file."""
        return [self.root / url.rpartition("/")[2] for url in self.urls]

    def folder(self) -> Path:
        """Return the directory of the cache, whose name depends on the files and on the size of the images."""
        shape = "x".join(map(str, self.image_shape))
        return self.cache / f"{self.choice}-{shape}-{fingerprint({path.name: path for path in self.paths})[:16]}"

    def prepare_data(self) -> None:
        """Download and unpack the files, if that has not been done yet.

        Raises:
            UserError: if a file is missing and cannot be downloaded, or is damaged, or the cache cannot be written.
        """
        for url, path in zip(self.urls, self.paths, strict=True):
            if path.is_file():
                continue
            if not self.download:
                raise UserError(
                    f"data={self.choice}: no {path.resolve()}. Put it there, or set data.root to its directory."
                )
            fetch(url, path, self.choice, "sprites")
        folder = self.folder()
        if not folder.is_dir():
            with cache_lock(self.cache):
                if not folder.is_dir():
                    self.unpack(folder)

    def load(self) -> dict[str, Batch]:
        """Open the cache, whose images are in random order, and split it."""
        self.prepare_data()
        return split_in_order(open_cache(self.folder()).splits["all"], self.val_size, self.test_size)

    def unpack(self, folder: Path) -> None:
        """Copy the images from the files into a cache, in random order.

        Raises:
            UserError: if a file is damaged, or the images do not have the channels of `image_shape`.
        """
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            with explain_unreadable(self.choice, self.paths[0]):
                factors, blocks = self.read(self.paths)
                check_grid(factors)
            n = len(factors)
            position = np.random.default_rng(0).permutation(n)  # of each image in the cache
            with (partial / "images.u8").open("wb") as file:
                reserve(file.fileno(), n * prod(self.image_shape))
            images = np.memmap(partial / "images.u8", dtype=np.uint8, mode="r+", shape=(n, *self.image_shape))
            start = 0
            with image_progress(f"unpacking {self.choice} (once)", n) as advance:
                for block in self.checked(blocks, n):
                    images[position[start : start + len(block)]] = self.resized(block)
                    start += len(block)
                    advance(len(block))
            images.flush()
        except UserError:
            shutil.rmtree(partial)
            raise
        labels = np.empty_like(factors)
        labels[position] = factors
        np.save(partial / "labels.npy", labels)
        manifest = {
            "source": str(self.paths[0]),
            "count": n,
            "image_shape": list(self.image_shape),
            "sizes": {"all": n},
            "label_names": list(self.factor_names),
        }
        seal(partial, folder, manifest)

    def checked(self, blocks: Iterable[np.ndarray], n: int) -> Iterator[np.ndarray]:
        """Iterate over blocks of n images, and explain an error of the files."""
        with explain_unreadable(self.choice, self.paths[0]):
            left = n
            for block in blocks:
                left -= len(block)
                if block.dtype != np.uint8 or block.ndim != 4 or left < 0:
                    raise ValueError(f"its images are {block.dtype} {block.shape}")
                yield block
            if left:
                raise ValueError(f"{left:,} of {n:,} images are missing")

    def resized(self, block: np.ndarray) -> np.ndarray:
        """Resize images (n, C, H, W) to `image_shape`.

        Raises:
            UserError: if they have another number of channels.
        """
        channels, *size = self.image_shape
        if block.shape[1] != channels:
            shape = [block.shape[1], *size]
            raise UserError(
                f"data.image_shape={list(self.image_shape)}: the images have {block.shape[1]} channels. Set"
                f" data.image_shape={shape}."
            )
        if block.shape[2:] == (*size,):
            return block
        # 8-bit images are resized in 8 bits, with antialiasing, as those of files
        return interpolate(torch.tensor(block), size, mode="bilinear", antialias=True).numpy()


def check_grid(factors: np.ndarray) -> None:
    """Check that all combinations of factors occur equally often.

    Raises:
        ValueError: if they do not.
    """
    sizes = (factors.max(axis=0) + 1).tolist()
    is_grid = factors.min() >= 0 and len(factors) % prod(sizes) == 0
    if is_grid:
        counts = np.bincount(np.ravel_multi_index(tuple(factors.T), sizes), minlength=prod(sizes))
        is_grid = counts.min() == counts.max()
    if not is_grid:
        raise ValueError("its factors do not form a grid")
