"""CelebA (Liu et al. 2015), in whatever form a person has it."""

import csv
import os
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from vae_lightning.data.cache import CacheContents, CacheSpec, fingerprint, log
from vae_lightning.data.files import ImageFiles
from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.image_decoding import FolderSource, Source, ZipSource

SPLITS = ("train", "val", "test")  # 0, 1, 2 in the official partition
SIGNS = {"1", "-1", "0"}  # of an attribute that is there, or is not
WANTED = (
    "img_align_celeba.zip (or the folder img_align_celeba), list_eval_partition.txt and list_attr_celeba.txt, from the"
    " CelebA project page or its Google Drive folder, or Kaggle's archive of CelebA"
)


class CelebALayout(NamedTuple):
    """Where the parts of a CelebA are.

    Attributes:
        source: of the images.
        prefix: what stands before the file names in the source.
        partition: the file that says the splits, or None.
        attributes: the file that says the attributes, or None.
    """

    source: Source
    prefix: str
    partition: "Annotation | None"
    attributes: "Annotation | None"


class Annotation(NamedTuple):
    """A table of annotations, as text or CSV, in a folder or in a zip.

    Attributes:
        source: of the file.
        name: in the source.
    """

    source: Source
    name: str

    @property
    def path(self) -> Path:
        """The path to tell a person."""
        return self.source.path / self.name

    def rows(self) -> list[list[str]]:
        """The cells of each line that is not empty."""
        try:
            text = self.source.read(self.name).decode()
            lines = csv.reader(StringIO(text)) if self.name.endswith(".csv") else map(str.split, text.splitlines())
            return [line for line in lines if line]
        except Exception as error:  # what a damaged file, or a damaged zip around it, may raise is listed nowhere
            raise UserError(f"data=celeba: {self.path} cannot be read ({one_line(error)})") from error


class CelebADataModule(ImageFiles):
    """202,599 faces with 40 attributes each, in the official training, validation and test sets.

    Found by looking, under the root or in its folder `celeba`: the official folder `img_align_celeba` with its
    annotation files, the zip as downloaded, Kaggle's nested folder or archive with annotations as CSV. Without the
    partition the images are split by their order, 80%, 10% and 10%; without the attributes they are unlabelled; a
    warning says so.

    Args:
        download: try torchvision's download when nothing is found.
        attributes: the names of those that are the labels, (N, A) of 0 and 1; none makes the images unlabelled.
        **files: those of `ImageFiles`.
    """

    def __init__(self, *, download: bool, attributes: Sequence[str], **files: Any) -> None:
        super().__init__(**files)
        self.download = download
        self.attributes = list(attributes)

    def layout(self) -> CelebALayout:
        """What is there.

        Raises:
            UserError: when there are no images.
        """
        found = locate_celeba(self.root)
        if not found and self.download:
            reason = download(self.root)
            found = locate_celeba(self.root)
            if not found:
                raise UserError(
                    f"data=celeba: no images under {self.root.resolve()}, and the download failed ({reason}):"
                    f" put there {WANTED}"
                )
        if not found:
            raise UserError(
                f"data=celeba: no images under {self.root.resolve()}: put there {WANTED}; or type data.root=FOLDER"
            )
        return found

    def cache_spec(self) -> CacheSpec:
        """The files as they are now."""
        found = self.layout()
        annotations = [a.path for a in (found.partition, found.attributes) if a and isinstance(a.source, FolderSource)]
        source = found.source
        files = [
            fingerprint([source.path] if isinstance(source, ZipSource) else os.scandir(source.path / found.prefix))
        ]
        files.append(fingerprint(annotations))
        return CacheSpec("celeba", source, " ".join(files), self.image_shape, self.crop, "official")

    def cache_contents(self) -> CacheContents:
        """The images in the order of the splits, with their attributes."""
        found = self.layout()
        names = image_names(found)
        parts = self.parts(found, names)
        ordered = [name for part in range(3) for name in names if parts[name] == part]
        counts = [sum(parts[name] == part for name in names) for part in range(3)]
        names = [found.prefix + name for name in ordered]
        return CacheContents(names, dict(zip(SPLITS, counts, strict=True)), *self.labels(found, ordered))

    def load(self) -> dict[str, Batch]:
        """Open the cache, which holds all attributes, and choose.

        Raises:
            UserError: when there is no attribute of a name.
        """
        splits = super().load()
        if not self.attributes or not self.label_names:
            self.num_classes, self.label_names = None, []
            return {name: Batch(x, None) for name, (x, _) in splits.items()}
        if unknown := [name for name in self.attributes if name not in self.label_names]:
            there = ", ".join(self.label_names)
            raise UserError(f"data.attributes={unknown[0]}: there is no such attribute; there are {there}")
        columns = [self.label_names.index(name) for name in self.attributes]
        self.label_names = self.attributes
        return {name: Batch(x, None if y is None else y[:, columns]) for name, (x, y) in splits.items()}

    def parts(self, found: CelebALayout, names: list[str]) -> dict[str, int]:
        """The split of each image: 0, 1 or 2."""
        if found.partition is None:
            log.warning(
                "data=celeba: no list_eval_partition.txt or .csv under %s: the images are split by their order,"
                " 80%% for training, 10%% for validation, 10%% for the test",
                self.root,
            )
            return {name: min(2, max(0, 10 * i // len(names) - 7)) for i, name in enumerate(names)}
        parts: dict[str, int] = {}
        for number, row in enumerate(found.partition.rows(), 1):
            if row[0] == "image_id":
                continue
            if len(row) != 2 or row[1] not in ("0", "1", "2"):
                raise UserError(
                    f"data=celeba: line {number} of {found.partition.path} is {' '.join(row)!r},"
                    " not an image and 0, 1 or 2"
                )
            parts[row[0]] = int(row[1])
        check_names(found.partition, parts, names, found.source.path)
        return parts

    def labels(self, found: CelebALayout, names: list[str]) -> tuple[np.ndarray | None, list[str]]:
        """All attributes, int64 (N, A) of 0 and 1, and their names; None and none where there is no annotation."""
        if found.attributes is None:
            log.warning("data=celeba: no list_attr_celeba.txt or .csv under %s: the images are unlabelled", self.root)
            return None, []
        rows = found.attributes.rows()
        if len(rows) < 3:
            raise UserError(f"data=celeba: {found.attributes.path} has no table of attributes")
        start = 1 if found.attributes.name.endswith(".csv") else 2  # the text file says the number of images first
        header = rows[0][1:] if start == 1 else rows[1]
        values: dict[str, list[bool]] = {}
        for number, row in enumerate(rows[start:], start + 1):
            if len(row) != 1 + len(header):
                raise UserError(
                    f"data=celeba: line {number} of {found.attributes.path} has {len(row) - 1} attributes,"
                    f" not {len(header)}"
                )
            if not SIGNS.issuperset(row[1:]):
                wrong = next(value for value in row[1:] if value not in SIGNS)
                raise UserError(f"data=celeba: line {number} of {found.attributes.path} says {wrong!r}, not 1 or -1")
            values[row[0]] = [value == "1" for value in row[1:]]
        check_names(found.attributes, values, names, found.source.path)
        return np.array([values[name] for name in names], dtype=np.int64), header


def locate_celeba(root: Path) -> CelebALayout | None:
    """Find the images and the annotations under a folder, or None where there are no images."""
    folders = [root / name for name in ("", "celeba", "CelebA", "img_align_celeba") if (root / name).is_dir()]
    for folder in folders:
        for nested in ("img_align_celeba/img_align_celeba/", "img_align_celeba/", ""):
            if next((folder / nested).glob("*.jpg"), None):
                partition, attributes = (annotation(kind, folders) for kind in ("eval_partition", "attr_celeba"))
                return CelebALayout(FolderSource(folder), nested, partition, attributes)
    for folder in folders:
        for path in sorted(folder.glob("*.zip")):
            inside = members(path)
            images = next((name for name in inside if name.endswith(".jpg")), None)
            if images:
                prefix = str(PurePosixPath(images).parent) + "/" if "/" in images else ""
                partition, attributes = (
                    annotation(kind, folders) or annotation_inside(kind, path, inside)
                    for kind in ("eval_partition", "attr_celeba")
                )
                return CelebALayout(ZipSource(path), prefix, partition, attributes)
    return None


def annotation(kind: str, folders: list[Path]) -> Annotation | None:
    """The annotation file of a kind in the first of the folders that has one."""
    for folder in folders:
        for path in sorted(folder.glob(f"list_{kind}.*")):
            return Annotation(FolderSource(folder), path.name)
    return None


def annotation_inside(kind: str, path: Path, inside: list[str]) -> Annotation | None:
    """The annotation file of a kind in a zip."""
    for name in inside:
        if PurePosixPath(name).stem == f"list_{kind}":
            return Annotation(ZipSource(path), name)
    return None


def members(path: Path) -> list[str]:
    """The names in a zip.

    Raises:
        UserError: when it is none, or cut short.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception as error:  # what a damaged zip may raise is listed nowhere
        raise UserError(
            f"data=celeba: {path} is no whole zip ({one_line(error)}); download it again: a quota page of Google's, or"
            " a download that was cut short, can have this name"
        ) from error


def image_names(found: CelebALayout) -> list[str]:
    """The file names of all images, in order."""
    if isinstance(found.source, ZipSource):
        names = [PurePosixPath(name).name for name in members(found.source.path) if name.endswith(".jpg")]
    else:
        names = [path.name for path in (found.source.path / found.prefix).glob("*.jpg")]
    return sorted(names)


def check_names(annotation: Annotation, annotated: dict[str, Any], names: list[str], path: Path) -> None:
    """Raise UserError when an annotation names images that are not there, or leaves out some that are."""
    there = set(names)
    if missing := sorted(annotated.keys() - there):
        raise UserError(
            f"data=celeba: {annotation.path} names {len(missing):,} images that are not in {path},"
            f" the first is {missing[0]}"
        )
    if unnamed := sorted(there - annotated.keys()):
        raise UserError(
            f"data=celeba: {annotation.path} leaves out {len(unnamed):,} images of {path}, the first is {unnamed[0]}"
        )


def download(root: Path) -> str:
    """Try torchvision's download; return why it failed, empty where it did not."""
    from torchvision.datasets import CelebA

    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            CelebA(str(root), split="all", download=True)
    except Exception as error:  # no network, Google Drive's quota, no gdown, a checksum: each raises something else
        return one_line(error)
    return ""
