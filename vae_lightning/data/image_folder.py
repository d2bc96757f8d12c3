"""Images in a directory."""

import logging
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.cache import CacheContents, CacheSpec, fingerprint, shown
from vae_lightning.data.files import ImageFilesDataModule
from vae_lightning.data.folder_layout import (
    class_of,
    has_split_folders,
    printable,
    split_of,
    warn_linked_folders,
    warn_unlabeled,
    warn_unread_splits,
)
from vae_lightning.data.splits import hold_out
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.escaping import visible
from vae_lightning.io.image_sources import FolderSource
from vae_lightning.types import SPLITS

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = {
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg"),
    *(".jpg", ".jxl", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".tif", ".tiff"),
    *(".webp",),
}
SYSTEM_NAMES = {"__macosx", "$recycle.bin", "desktop.ini", "system volume information", "thumbs.db"}


class ImageFolderDataModule(ImageFilesDataModule):
    """All images under a directory, nested or flat, of any size and mode.

    - A directory `train` beside `test`, `val` (also called `valid` or `validation`) or both defines the splits; a
      missing one is held out from `train`. Without these directories, the images are split at random.
    - One directory per class, such as `cat/1.jpg`, defines the labels. If there are images outside of such directories,
      all images are unlabeled.
    - Links are followed. Hidden files and those of operating systems, such as `__MACOSX`, are ignored. Other files are
      counted in a warning.

    Args:
        val_fraction: fraction of the training images held out for validation, if there is no directory for it.
        test_fraction: fraction of all images held out for testing, if there is no directory for it.
        split_seed: seed of the splits, which do not depend on `seed`.
        **files: arguments of `ImageFilesDataModule`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 64, 64)}

    def __init__(
        self, *, val_fraction: float = 0.05, test_fraction: float = 0.1, split_seed: int = 0, **files: Any
    ) -> None:
        super().__init__(**files)
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    @cached_property
    def files(self) -> dict[str, Path]:
        """All files under the root except hidden ones, by their relative paths, sorted.

        Raises:
            UserError: if there is no image, an image is a device, or a broken link and `skip_corrupt` is false.
        """
        if not self.root.is_dir():
            raise UserError(
                f"data.root={self.root}: no such directory. Set data.root to the directory that contains your images."
            )
        try:
            files = sorted(path for path in walk(self.root) if is_image(path) or self.cache not in path.parents)
        except OSError as error:
            raise UserError(f"data.root={self.root}: cannot be read ({one_line(error)}).") from error
        if not any(map(is_image, files)):
            raise UserError(
                f"data.root={self.root}: no images ({', '.join(sorted(IMAGE_SUFFIXES))}) in this directory. Set another"
                " one."
            )
        irregular = {path for path in files if is_image(path) and not path.is_file()}
        self.check_irregular(sorted(irregular))
        return {path.relative_to(self.root).as_posix(): path for path in files if path not in irregular}

    def check_irregular(self, paths: list[Path]) -> None:
        """Check that images that are no regular files may be left out: only broken links, if `skip_corrupt` is set.

        Raises:
            UserError: if they may not.
        """
        links = [path.relative_to(self.root).as_posix() for path in paths if not path.exists()]
        if others := [path.relative_to(self.root).as_posix() for path in paths if path.exists()]:
            raise UserError(f"data.root={self.root}: {shown(others)}: not a regular file. Remove it.")
        if links and not self.skip_corrupt:
            raise UserError(
                f"data.root={self.root}: contains broken links ({shown(links)}). Remove them, or set"
                " data.skip_corrupt=true to skip them."
            )
        if links:
            log.warning("data.root=%s: skipping %s broken links (%s)", self.root, f"{len(links):,}", shown(links))

    @cached_property
    def images(self) -> dict[str, Path]:
        """The files that are named like images."""
        return {name: path for name, path in self.files.items() if is_image(path)}

    @cached_property
    def identity(self) -> str:
        """Hash of the names and sizes of the images, which a moved or copied directory keeps."""
        return fingerprint(self.images, times=False)

    @property
    def has_test_split(self) -> bool:
        """Whether there is a directory of test images."""
        return has_split_folders([*self.images]) and "test" in map(split_of, self.images)

    def cache_spec(self) -> CacheSpec:
        """Return the files as they are now, and how they are decoded and split."""
        split = f"val {self.val_fraction}, test {self.test_fraction}, seed {self.split_seed}"
        return CacheSpec(
            "image_folder", FolderSource(self.root), fingerprint(self.images), self.image_shape, self.crop, split
        )

    def cache_contents(self) -> CacheContents:
        """List the images in the order of the splits, with their labels."""
        names = [*self.images]
        if others := [path.suffix or path.name for path in self.files.values() if not is_image(path)]:
            kinds = visible(", ".join(sorted(set(others))[:10]))
            are = "1 file is not an image" if len(others) == 1 else f"{len(others):,} files are not images"
            log.warning("data.root=%s: %s (%s)", self.root, are, kinds)
        splits = self.split(names)
        ordered = [name for split in SPLITS for name in splits[split]]
        sizes = {split: len(splits[split]) for split in SPLITS}
        in_split = has_split_folders(names)
        classes = [printable(class_of(name, in_split)) for name in ordered]
        label_names = sorted(set(classes))
        if not in_split:
            warn_unread_splits(self.root, [*map(PurePath, label_names)])
        unlabeled = [name for name, label in zip(ordered, classes, strict=True) if not label]
        if 0 < len(unlabeled) < len(ordered):
            warn_unlabeled(self.root, unlabeled)
        warn_linked_folders(self.root, {name.rpartition("/")[0] for name in ordered})
        if "" in label_names or len(label_names) == 1:
            return CacheContents(ordered, sizes, None, [])
        return CacheContents(ordered, sizes, np.searchsorted(label_names, classes), label_names)

    def split(self, names: list[str]) -> dict[str, list[str]]:
        """Return the names of the images of each split.

        Raises:
            UserError: if no image would be left for training or for testing, or an image is in no split.
        """
        splits: dict[str, list[str]] = {split: [] for split in SPLITS}
        if has_split_folders(names):
            for name in names:
                if split_of(name) not in SPLITS:
                    raise UserError(
                        f"data.root={self.root}: {visible(name)} is in none of the directories train, val and test."
                        " Move it there."
                    )
                splits[split_of(name)].append(name)
        else:
            splits["train"] = names
        fractions = {"test": self.test_fraction, "val": self.val_fraction}
        missing = {split: fraction for split, fraction in fractions.items() if not splits[split]}
        return splits | hold_out(splits["train"], missing, self.split_seed)


def walk(folder: Path, parents: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """Yield all files under a directory except hidden ones, following links except those into a parent directory.

    Args:
        folder: the directory.
        parents: device and inode of each directory on the way to it.
    """
    status = folder.stat()
    if (status.st_dev, status.st_ino) in parents:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in SYSTEM_NAMES:
                continue
            if entry.is_dir():
                yield from walk(folder / entry.name, parents | {(status.st_dev, status.st_ino)})
            else:
                yield folder / entry.name


def is_image(path: Path) -> bool:
    """Return whether a file is named like an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES
