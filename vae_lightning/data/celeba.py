"""CelebA (Liu et al. 2015), in any of the layouts in which it is distributed."""

import csv
import os
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, NamedTuple

import numpy as np

from vae_lightning.data.cache import CacheContents, CacheSpec, fingerprint, log
from vae_lightning.data.files import ImageFiles
from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.image_decoding import Crop, FolderSource, Source, ZipSource

SPLITS = ("train", "val", "test")  # 0, 1, 2 in the official partition
ATTRIBUTE_VALUES = {"1", "-1", "0"}  # 1 if an attribute is present, else -1 or 0
EXPECTED_FILES = (
    "img_align_celeba.zip (or the folder img_align_celeba), list_eval_partition.txt and list_attr_celeba.txt, from the"
    " CelebA project page or its Google Drive folder, or Kaggle's archive of CelebA"
)

ATTRIBUTES: tuple[str, ...] = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)


class CelebALayout(NamedTuple):
    """Locations of the images and annotation files.

    Attributes:
        source: directory or zip file of the images.
        prefix: directory of the images within the source, ending with a slash, or an empty string.
        partition: file with the splits, or None.
        attributes: file with the attributes, or None.
    """

    source: Source
    prefix: str
    partition: "Annotation | None"
    attributes: "Annotation | None"


class Annotation(NamedTuple):
    """Table of annotations, as text or CSV, in a directory or a zip file.

    Attributes:
        source: directory or zip file that contains the file.
        name: name of the file in the source.
    """

    source: Source
    name: str

    @property
    def path(self) -> Path:
        """Path of the file, for error messages."""
        return self.source.path / self.name

    def rows(self) -> list[list[str]]:
        """Return the cells of each non-empty line.

        Raises:
            UserError: if the file cannot be read.
        """
        try:
            text = self.source.read(self.name).decode()
            lines = csv.reader(StringIO(text)) if self.name.endswith(".csv") else map(str.split, text.splitlines())
            return [line for line in lines if line]
        except Exception as error:  # damaged files cause various errors
            raise UserError(
                f"data=celeba: {self.path} cannot be read ({one_line(error)}). Download it again."
            ) from error


class CelebADataModule(ImageFiles):
    """202,599 faces with 40 attributes each, in the official training, validation and test sets.

    The following layouts are recognized under the root or in its directory `celeba`: the official directory
    `img_align_celeba` with its annotation files, the official zip file, and Kaggle's nested directory or archive with
    annotations as CSV. Without the partition file, the images are split by their order: 80%, 10% and 10%. Without the
    attribute file, they are unlabeled. In both cases a warning is logged.

    Args:
        download: download the files with torchvision if no images are found.
        attributes: names of the attributes to use as labels, (N, A) of 0 and 1; empty for unlabeled images.
        **files: arguments of `ImageFiles`.
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
                    f" Put there {EXPECTED_FILES}."
                )
        if not layout:
            raise UserError(
                f"data=celeba: no images under {self.root.resolve()}. Put there {EXPECTED_FILES}, or set data.root."
            )
        return layout

    def cache_spec(self) -> CacheSpec:
        """Return the images and annotation files as they are now, and how the images are decoded."""
        layout = self.layout()
        source = layout.source
        images = [source.path] if isinstance(source, ZipSource) else os.scandir(source.path / layout.prefix)
        tables = (layout.partition, layout.attributes)
        annotations = [table.path for table in tables if table and isinstance(table.source, FolderSource)]
        files = f"{fingerprint(images)} {fingerprint(annotations)}"
        return CacheSpec("celeba", source, files, self.image_shape, self.crop, "official")

    def cache_contents(self) -> CacheContents:
        """List the images in the order of the splits, with their attributes."""
        layout = self.layout()
        names = image_names(layout)
        split_of = self.split_indices(layout, names)
        ordered = [name for split in range(3) for name in names if split_of[name] == split]
        counts = [sum(split_of[name] == split for name in names) for split in range(3)]
        paths = [layout.prefix + name for name in ordered]
        return CacheContents(paths, dict(zip(SPLITS, counts, strict=True)), *self.labels(layout, ordered))

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

    def split_indices(self, layout: CelebALayout, names: list[str]) -> dict[str, int]:
        """Return the split of each image: 0, 1 or 2.

        Raises:
            UserError: if the partition file does not match the images.
        """
        if layout.partition is None:
            log.warning(
                "data=celeba: no list_eval_partition.txt or .csv under %s: the images are split by their order,"
                " 80%% for training, 10%% for validation, 10%% for testing",
                self.root,
            )
            return {name: min(2, max(0, 10 * i // len(names) - 7)) for i, name in enumerate(names)}
        split_of: dict[str, int] = {}
        for number, row in enumerate(layout.partition.rows(), 1):
            if row[0] == "image_id":
                continue
            if len(row) != 2 or row[1] not in ("0", "1", "2"):
                raise UserError(
                    f"data=celeba: line {number} of {layout.partition.path} is {' '.join(row)!r}, not an image and 0, 1"
                    " or 2. Download it again."
                )
            split_of[row[0]] = int(row[1])
        check_names(layout.partition, split_of, names, layout.source.path)
        return split_of

    def labels(self, layout: CelebALayout, names: list[str]) -> tuple[np.ndarray | None, list[str]]:
        """Return all attributes, int64 (N, A) of 0 and 1, and their names; None and [] without an attribute file.

        Raises:
            UserError: if the attribute file does not match the images.
        """
        if layout.attributes is None:
            log.warning("data=celeba: no list_attr_celeba.txt or .csv under %s: the images are unlabeled", self.root)
            return None, []
        rows = layout.attributes.rows()
        if len(rows) < 3:
            raise UserError(f"data=celeba: {layout.attributes.path} has no table of attributes. Download it again.")
        start = 1 if layout.attributes.name.endswith(".csv") else 2  # the text file starts with the number of images
        header = rows[0][1:] if start == 1 else rows[1]
        values: dict[str, list[bool]] = {}
        for number, row in enumerate(rows[start:], start + 1):
            if len(row) != 1 + len(header):
                raise UserError(
                    f"data=celeba: line {number} of {layout.attributes.path} has {len(row) - 1} attributes,"
                    f" not {len(header)}. Download it again."
                )
            if not ATTRIBUTE_VALUES.issuperset(row[1:]):
                wrong = next(value for value in row[1:] if value not in ATTRIBUTE_VALUES)
                raise UserError(
                    f"data=celeba: line {number} of {layout.attributes.path} has {wrong!r}, not 1 or -1. Download it"
                    " again."
                )
            values[row[0]] = [value == "1" for value in row[1:]]
        check_names(layout.attributes, values, names, layout.source.path)
        return np.array([values[name] for name in names], dtype=np.int64), header


def locate_celeba(root: Path) -> CelebALayout | None:
    """Return where the images and annotation files are under a directory, or None if there are no images."""
    folders = [root / name for name in ("", "celeba", "CelebA", "img_align_celeba") if (root / name).is_dir()]
    for folder in folders:
        for nested in ("img_align_celeba/img_align_celeba/", "img_align_celeba/", ""):
            if next((folder / nested).glob("*.jpg"), None):
                partition, attributes = (find_annotation(kind, folders) for kind in ("eval_partition", "attr_celeba"))
                return CelebALayout(FolderSource(folder), nested, partition, attributes)
    for folder in folders:
        for path in sorted(folder.glob("*.zip")):
            members = zip_members(path)
            image = next((name for name in members if name.endswith(".jpg")), None)
            if image:
                prefix = str(PurePosixPath(image).parent) + "/" if "/" in image else ""
                partition, attributes = (
                    find_annotation(kind, folders) or find_zipped_annotation(kind, path, members)
                    for kind in ("eval_partition", "attr_celeba")
                )
                return CelebALayout(ZipSource(path), prefix, partition, attributes)
    return None


def find_annotation(kind: str, folders: list[Path]) -> Annotation | None:
    """Return the annotation file of a kind in the first directory that has one, or None."""
    for folder in folders:
        for path in sorted(folder.glob(f"list_{kind}.*")):
            return Annotation(FolderSource(folder), path.name)
    return None


def find_zipped_annotation(kind: str, path: Path, members: list[str]) -> Annotation | None:
    """Return the annotation file of a kind in a zip file, or None."""
    for name in members:
        if PurePosixPath(name).stem == f"list_{kind}":
            return Annotation(ZipSource(path), name)
    return None


def zip_members(path: Path) -> list[str]:
    """Return the names of the members of a zip file.

    Raises:
        UserError: if it is not a complete zip file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception as error:  # damaged files cause various errors
        raise UserError(
            f"data=celeba: {path} is not a complete zip file ({one_line(error)}). It may be a quota page of Google"
            " Drive, or an interrupted download. Download it again."
        ) from error


def image_names(layout: CelebALayout) -> list[str]:
    """Return the file names of all images, sorted, without the prefix."""
    if isinstance(layout.source, ZipSource):
        names = [PurePosixPath(name).name for name in zip_members(layout.source.path) if name.endswith(".jpg")]
    else:
        names = [path.name for path in (layout.source.path / layout.prefix).glob("*.jpg")]
    return sorted(names)


def check_names(annotation: Annotation, annotated: dict[str, Any], names: list[str], path: Path) -> None:
    """Check that an annotation file has one row for each image, and no others.

    Raises:
        UserError: if it does not.
    """
    existing = set(names)
    if missing := sorted(annotated.keys() - existing):
        raise UserError(
            f"data=celeba: {annotation.path} names {len(missing):,} images that are not in {path}, first"
            f" {missing[0]}. Download the images again."
        )
    if unnamed := sorted(existing - annotated.keys()):
        raise UserError(
            f"data=celeba: {annotation.path} lacks {len(unnamed):,} images of {path}, first {unnamed[0]}. Download it"
            " again."
        )


def download(root: Path) -> str:
    """Download the files with torchvision; return the reason if that fails, or an empty string."""
    from torchvision.datasets import CelebA

    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            CelebA(str(root), split="all", download=True)
    except Exception as error:  # various errors: network, Google Drive's quota, gdown missing, checksum
        return one_line(error)
    return ""
