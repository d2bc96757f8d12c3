"""The datamodule of image files, decoded once."""

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.cache import CacheContents, CacheSpec, ensure_cache, open_cache
from vae_lightning.data.in_memory import Batch
from vae_lightning.io.image_decoding import Crop


class ImageFiles(ImageDataModule):
    """Image files, which are decoded into a cache at first use and mapped into memory from then on.

    A data set says where its files are, and how they are split and labelled: `recipe` and `plan`.

    Args:
        root: the folder that holds the data.
        cache: the folder of all caches; None for `cache` in the root.
        crop: what to keep of each image before it is resized; see `decoding.decode`.
        skip_corrupt: leave out images that cannot be decoded, instead of stopping.
        **loading: those of `ImageDataModule`.
    """

    def __init__(self, *, root: str, cache: str | None, crop: Crop, skip_corrupt: bool, **loading: Any) -> None:
        super().__init__(**loading)
        self.root = Path(root).expanduser()
        self.cache = Path(cache).expanduser() if cache else self.root / "cache"
        self.crop = crop
        self.skip_corrupt = skip_corrupt

    @abstractmethod
    def cache_spec(self) -> CacheSpec:
        """What to decode, and how; asked at each start, so it reads no image.

        Raises:
            UserError: when there is nothing to decode.
        """

    @abstractmethod
    def cache_contents(self) -> CacheContents:
        """The order, the splits and the labels of all images; asked when the cache is built.

        Raises:
            UserError: when the files do not fit each other.
        """

    @cached_property
    def spec(self) -> CacheSpec:
        """The recipe; asking for it lists all files, so once."""
        return self.cache_spec()

    def prepare_data(self) -> None:
        """Decode what is not in the cache yet."""
        ensure_cache(self.spec, self.cache_contents, self.cache, self.skip_corrupt)

    def load(self) -> dict[str, Batch]:
        """Open the cache."""
        self.prepare_data()
        splits, self.label_names = open_cache(self.spec.folder(self.cache))
        return splits
