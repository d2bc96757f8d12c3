"""Any folder of images."""

from pathlib import Path
from typing import Any

import numpy as np

from vae_lightning.data.cache import CacheContents, CacheSpec, fingerprint
from vae_lightning.data.files import ImageFiles
from vae_lightning.errors import UserError
from vae_lightning.io.image_decoding import FolderSource

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
SPLITS = ("train", "val", "test")


class ImageFolderDataModule(ImageFiles):
    """All images under a folder, nested or flat, of any size and mode.

    - In folders `train` and `test`, and perhaps `val`, they are split so; otherwise at random.
    - In one folder for each class, `CLASS/*.jpg`, they are labelled so; an image beside such folders leaves all without
      labels.

    Args:
        val_fraction: the share of the training images set aside for validation, where there is no folder `val`.
        test_fraction: the share of all images set aside for the test, where there are no folders `train` and `test`.
        split_seed: draws the splits.
        **files: those of `ImageFiles`.
    """

    def __init__(self, *, val_fraction: float, test_fraction: float, split_seed: int, **files: Any) -> None:
        super().__init__(**files)
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    def files(self) -> list[Path]:
        """All images, in the order of their names."""
        if not self.root.is_dir():
            raise UserError(f"data.root={self.root}: there is no such folder")
        files = sorted(
            path
            for path in self.root.rglob("*")
            if path.suffix.lower() in SUFFIXES and self.cache not in path.parents and path.is_file()
        )
        if not files:
            raise UserError(f"data.root={self.root}: no images in this folder ({', '.join(sorted(SUFFIXES))})")
        return files

    def cache_spec(self) -> CacheSpec:
        """The files as they are now."""
        split = f"val {self.val_fraction}, test {self.test_fraction}, seed {self.split_seed}"
        return CacheSpec(
            "image_folder", FolderSource(self.root), fingerprint(self.files()), self.image_shape, self.crop, split
        )

    def cache_contents(self) -> CacheContents:
        """Split and label them by their folders."""
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
        """The images of each split."""
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
                f"data.root={self.root}: {len(names)} images are too few to split; type a smaller data.test_fraction,"
                " or put them into folders train and test"
            )
        return splits

    def class_of(self, name: str) -> str:
        """The folder that an image is in, below those of the splits; empty for none."""
        parts = name.split("/")[:-1]
        return "/".join(parts[1:] if parts and parts[0] in SPLITS else parts)
