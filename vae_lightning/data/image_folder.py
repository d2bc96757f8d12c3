"""Images in a directory."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.cache import CacheContents, CacheSpec, fingerprint
from vae_lightning.data.files import ImageFiles
from vae_lightning.errors import UserError
from vae_lightning.io.image_decoding import FolderSource

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
SPLITS = ("train", "val", "test")


class ImageFolderDataModule(ImageFiles):
    """All images under a directory, nested or flat, of any size and mode.

    - Directories `train`, `test` and optionally `val` define the splits. Otherwise the images are split at random.
    - One directory per class, such as `cat/1.jpg`, defines the labels. If there are images outside of such directories,
      all images are unlabeled.

    Args:
        val_fraction: fraction of the training images held out for validation, if there is no directory `val`.
        test_fraction: fraction of all images held out for testing, if there are no directories `train` and `test`.
        split_seed: seed of the splits, which do not depend on `seed`.
        **files: arguments of `ImageFiles`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 64, 64)}

    def __init__(
        self, *, val_fraction: float = 0.05, test_fraction: float = 0.1, split_seed: int = 0, **files: Any
    ) -> None:
        super().__init__(**files)
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    def files(self) -> list[Path]:
        """Return the paths of all images, sorted.

        Raises:
            UserError: if there are none.
        """
        if not self.root.is_dir():
            raise UserError(
                f"data.root={self.root}: no such directory. Set data.root to the directory that contains your images."
            )
        files = sorted(
            path
            for path in self.root.rglob("*")
            if path.suffix.lower() in SUFFIXES and self.cache not in path.parents and path.is_file()
        )
        if not files:
            raise UserError(
                f"data.root={self.root}: no images ({', '.join(sorted(SUFFIXES))}) in this directory. Set another one."
            )
        return files

    def cache_spec(self) -> CacheSpec:
        """Return the files as they are now, and how they are decoded and split."""
        split = f"val {self.val_fraction}, test {self.test_fraction}, seed {self.split_seed}"
        return CacheSpec(
            "image_folder", FolderSource(self.root), fingerprint(self.files()), self.image_shape, self.crop, split
        )

    def cache_contents(self) -> CacheContents:
        """List the images in the order of the splits, with their labels."""
        names = [path.relative_to(self.root).as_posix() for path in self.files()]
        splits = self.split(names)
        ordered = [name for split in SPLITS for name in splits[split]]
        sizes = {split: len(splits[split]) for split in SPLITS}
        classes = [self.class_of(name) for name in ordered]
        label_names = sorted(set(classes))
        if "" in label_names or len(label_names) == 1:
            return CacheContents(ordered, sizes, None, [])
        return CacheContents(ordered, sizes, np.searchsorted(label_names, classes), label_names)

    def split(self, names: list[str]) -> dict[str, list[str]]:
        """Return the names of the images of each split.

        Raises:
            UserError: if no image would be left for training or for testing.
        """
        found = {split: [name for name in names if name.startswith(f"{split}/")] for split in SPLITS}
        generator = np.random.default_rng(self.split_seed)
        if found["train"] and found["test"]:
            rest = found["train"]
        else:
            names = generator.permutation(names).tolist()
            n = round(self.test_fraction * len(names))
            found = {"test": names[:n], "val": []}
            rest = names[n:]
        if not found["val"]:
            rest = generator.permutation(rest).tolist()
            n = round(self.val_fraction * len(rest))
            found["val"], rest = rest[:n], rest[n:]
        splits = {"train": rest, "val": found["val"], "test": found["test"]}
        if not splits["train"] or not splits["test"]:
            raise UserError(
                f"data.root={self.root}: {len(names)} images are too few to split. Set a smaller data.test_fraction, or"
                " put them into directories train and test."
            )
        return splits

    def class_of(self, name: str) -> str:
        """Return the directory of an image, without that of its split; an empty string if there is none."""
        parts = name.split("/")[:-1]
        return "/".join(parts[1:] if parts and parts[0] in SPLITS else parts)
