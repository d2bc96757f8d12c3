"""CelebA (Liu et al. 2015), in any of the layouts in which it is distributed."""

import logging
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.cache import CacheContents, CacheSpec, fingerprint
from vae_lightning.data.celeba_annotations import ATTRIBUTES, read_annotations
from vae_lightning.data.celeba_layout import CelebALayout, locate_celeba
from vae_lightning.data.files import ImageFilesDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.image_decoding import Crop
from vae_lightning.io.image_sources import ParquetSource
from vae_lightning.types import SPLITS

log = logging.getLogger(__name__)

EXPECTED_FILES = (
    "img_align_celeba.zip (or the folder img_align_celeba), list_eval_partition.txt and list_attr_celeba.txt, from the"
    " CelebA project page or its Google Drive folder, or Kaggle's archive of CelebA"
)


class CelebADataModule(ImageFilesDataModule):
    """202,599 faces with 40 attributes each, in the official training, validation and test sets.

    The following layouts are recognized under the root or in its directory `celeba`:

    - the official directory `img_align_celeba` of JPEG files, `img_align_celeba_png`, or zip file, with the annotation
      files; also in the directories `Img`, `Anno` and `Eval` of the official Google Drive folder
    - Kaggle's nested directory or archive, with annotations as CSV
    - Parquet files as on the Hugging Face Hub, named `train-*`, `valid-*` and `test-*`

    Without a partition, the images are split by their order: 80%, 10% and 10%. Without attributes, they are unlabeled.
    In both cases a warning is logged.

    Args:
        download: download the files with torchvision if no images are found.
        attributes: names of the attributes to use as labels, (N, A) of 0 and 1; empty for unlabeled images.
        **files: arguments of `ImageFilesDataModule`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 64, 64)}

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        attributes: Sequence[str] = ATTRIBUTES,
        crop: Crop = 148,
        **files: Any,
    ) -> None:
        super().__init__(root=root, crop=crop, **{"num_classes": len(attributes) or None, **files})
        self.download = download
        self.attributes = list(attributes)

    def layout(self) -> CelebALayout:
        """Find the files, after downloading them if necessary.

        Raises:
            UserError: if there are no images.
        """
        layout = locate_celeba(self.root)
        if not layout and self.download:
            reason = download(self.root)
            layout = locate_celeba(self.root)
            if not layout:
                raise UserError(
                    f"data=celeba: no images under {self.root.resolve()}, and the download failed ({reason})."
                    f" Put these there: {EXPECTED_FILES}."
                )
        if not layout:
            raise UserError(
                f"data=celeba: no images under {self.root.resolve()}. Put these there, or set data.root:"
                f" {EXPECTED_FILES}."
            )
        return layout

    def cache_spec(self) -> CacheSpec:
        """Return the images and annotation files as they are now, and how the images are decoded."""
        layout = self.layout()
        has_partition = layout.partition or isinstance(layout.source, ParquetSource)
        split = "official" if has_partition else "by order, 80%, 10%, 10%"
        return CacheSpec("celeba", layout.source, fingerprint(layout.files()), self.image_shape, self.crop, split)

    def cache_contents(self) -> CacheContents:
        """List the images in the order of the splits, with their attributes."""
        names, splits, labels, label_names = read_annotations(self.layout())
        if splits is None:
            log.warning(
                "data=celeba: no list_eval_partition.txt or .csv under %s: the images are split by their order,"
                " 80%% for training, 10%% for validation, 10%% for testing",
                self.root,
            )
            splits = np.clip(10 * np.arange(len(names)) // len(names) - 7, 0, 2)
        if labels is None:
            log.warning("data=celeba: no list_attr_celeba.txt or .csv under %s: the images are unlabeled", self.root)
        order = np.argsort(splits, kind="stable")
        sizes = dict(zip(SPLITS, np.bincount(splits, minlength=3).tolist(), strict=True))
        return CacheContents([names[i] for i in order], sizes, None if labels is None else labels[order], label_names)

    def load(self) -> dict[str, Batch]:
        """Open the cache, which contains all attributes, and select those in `attributes`.

        Raises:
            UserError: if there is no attribute of that name.
        """
        splits = super().load()
        if not self.attributes or not self.label_names:
            self.num_classes, self.label_names = None, []
            return {name: Batch(x, None) for name, (x, _) in splits.items()}
        if unknown := [name for name in self.attributes if name not in self.label_names]:
            names = ", ".join(self.label_names)
            raise UserError(f"data.attributes={unknown[0]}: no such attribute. The attributes are {names}.")
        columns = [self.label_names.index(name) for name in self.attributes]
        self.label_names = self.attributes
        return {name: Batch(x, None if y is None else y[:, columns]) for name, (x, y) in splits.items()}


def download(root: Path) -> str:
    """Download the files with torchvision; return the reason if that fails, or an empty string."""
    if not find_spec("gdown"):
        return "gdown is not installed; run pip install 'vae-lightning[download]'"
    from torchvision.datasets import CelebA

    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            CelebA(str(root), split="all", download=True)
    except Exception as error:  # various errors: network, Google Drive's quota, gdown missing, checksum
        return one_line(error)
    return ""
