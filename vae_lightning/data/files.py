"""Base class of datasets of image files, which are decoded once."""

import json
from abc import abstractmethod
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.cache import CacheContents, CacheSpec, ensure_cache
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.mapped_images import open_cache
from vae_lightning.errors import UserError
from vae_lightning.io.image_decoding import Crop


class ImageFilesDataModule(ImageDataModule):
    """Image files, decoded into a cache at first use and mapped into memory from then on.

    A subclass defines where its files are in `cache_spec`, and how they are split and labeled in `cache_contents`.

    Args:
        root: directory of the data.
        cache: directory of all caches; None for `cache` in the root.
        crop: region of each image to keep before resizing; see `image_decoding.decode`.
        skip_corrupt: skip images that cannot be decoded and broken links, instead of raising an error.
        **loading: arguments of `ImageDataModule`.

    Raises:
        UserError: if the images have neither 1 nor 3 channels.
    """

    def __init__(
        self,
        *,
        root: str,
        cache: str | None = None,
        crop: Crop = "square",
        skip_corrupt: bool = False,
        **loading: Any,
    ) -> None:
        super().__init__(**{**self.defaults, **loading})
        if self.image_shape[0] not in (1, 3):
            raise UserError(
                f"data.image_shape={list(self.image_shape)}: must be [channels, height, width] with 1 or 3 channels."
            )
        self.root = Path(root).expanduser()
        self.cache = Path(cache).expanduser() if cache else self.root / "cache"
        self.crop = crop
        self.skip_corrupt = skip_corrupt

    @abstractmethod
    def cache_spec(self) -> CacheSpec:
        """Return the source of the images and how they are decoded. Called at each start, so it must not read images.

        Raises:
            UserError: if there is nothing to decode.
        """

    @abstractmethod
    def cache_contents(self) -> CacheContents:
        """Return the order, the splits and the labels of all images. Called when the cache is built.

        Raises:
            UserError: if the files do not match each other.
        """

    @cached_property
    def spec(self) -> CacheSpec:
        """Specification of the cache, computed once since that lists all files."""
        return self.cache_spec()

    @cached_property
    def contents(self) -> CacheContents:
        """Order, splits and labels of all images, computed once since that also warns about other files."""
        return self.cache_contents()

    def prepare_data(self) -> None:
        """Build the cache if it does not exist yet."""
        ensure_cache(self.spec, lambda: self.contents, self.cache, self.skip_corrupt)

    def load(self) -> dict[str, Batch]:
        """Open the cache, after building it if necessary."""
        self.prepare_data()
        splits, self.label_names = open_cache(self.spec.folder(self.cache))
        return splits

    def image_names(self) -> dict[str, list[str]]:
        """Return the paths of the images of each split in their order, relative to their source.

        They are listed again, as when the cache was built, whose directory depends on all files.
        """
        manifest = json.loads((self.spec.folder(self.cache) / "manifest.json").read_bytes())
        names = iter(name for name in self.contents.names if name not in manifest["left_out"])
        return {split: list(islice(names, len(x))) for split, (x, _) in self.splits.items()}
