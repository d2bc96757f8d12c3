"""Finding the files of CelebA in any of the layouts in which it is distributed."""

import csv
import os
import zipfile
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vae_lightning.errors import UserError, one_line
from vae_lightning.io.image_sources import FolderSource, ParquetSource, Source, ZipSource

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# under the root: the official directories, with those of its Google Drive folder, and Kaggle's
DIRECTORIES = [Path(a, b) for a in ("", "celeba", "CelebA") for b in ("", "Img", "Anno", "Eval", "img_align_celeba")]
IMAGE_DIRECTORIES = ("img_align_celeba/img_align_celeba/", "img_align_celeba/", "img_align_celeba_png/", "")


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
            text = self.source.read(self.name).decode("utf-8-sig")
            lines = csv.reader(StringIO(text)) if self.name.endswith(".csv") else map(str.split, text.splitlines())
            return [line for line in lines if line]
        except Exception as error:  # damaged files cause various errors
            raise UserError(
                f"data=celeba: {self.path} cannot be read ({one_line(error)}). Download it again."
            ) from error


class CelebALayout(NamedTuple):
    """Locations of the images and annotation files.

    Attributes:
        source: directory, zip file or Parquet files of the images.
        prefix: directory of the images within the source, ending with a slash, or an empty string.
        partition: file with the splits, or None.
        attributes: file with the attributes, or None.
    """

    source: Source
    prefix: str = ""
    partition: Annotation | None = None
    attributes: Annotation | None = None

    def files(self) -> dict[str, Path | os.DirEntry[str]]:
        """Return the files to watch for changes, by name."""
        files: dict[str, Path | os.DirEntry[str]] = {
            table.name: table.path
            for table in (self.partition, self.attributes)
            if table and isinstance(table.source, FolderSource)
        }
        match self.source:
            case ZipSource(path):
                return {**files, path.name: path}
            case ParquetSource(path):
                return {**files, **{str(file.relative_to(path)): file for file in parquet_files(path)}}
            case FolderSource(path):
                entries = os.scandir(path / self.prefix)
                return {**files, **{entry.name: entry for entry in entries if is_image(entry.name)}}

    def image_names(self) -> list[str]:
        """Return the file names of all images, sorted, without the prefix."""
        if isinstance(self.source, ZipSource):
            names = [PurePosixPath(name).name for name in zip_members(self.source.path)]
        else:
            names = [path.name for path in (self.source.path / self.prefix).iterdir()]
        return sorted(filter(is_image, names))


def locate_celeba(root: Path) -> CelebALayout | None:
    """Return where the images and annotation files are under a directory, or None if there are no images."""
    folders = [root / directory for directory in DIRECTORIES if (root / directory).is_dir()]
    for folder in folders:
        for nested in IMAGE_DIRECTORIES:
            if (folder / nested).is_dir() and any(is_image(path.name) for path in (folder / nested).iterdir()):
                partition, attributes = (find_annotation(kind, folders) for kind in ("eval_partition", "attr_celeba"))
                return CelebALayout(FolderSource(folder), nested, partition, attributes)
    for folder in folders:
        for path in sorted(folder.glob("*.zip")):
            members = zip_members(path)
            image = next(filter(is_image, members), None)
            if image:
                prefix = str(PurePosixPath(image).parent) + "/" if "/" in image else ""
                partition, attributes = (
                    find_annotation(kind, folders) or find_zipped_annotation(kind, path, members)
                    for kind in ("eval_partition", "attr_celeba")
                )
                return CelebALayout(ZipSource(path), prefix, partition, attributes)
    return next((CelebALayout(ParquetSource(folder)) for folder in folders if parquet_files(folder)), None)


def is_image(name: str) -> bool:
    """Return whether a file is named like an image of CelebA."""
    return name.endswith(IMAGE_SUFFIXES) and not PurePosixPath(name).name.startswith(".")


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a directory or one below it, sorted."""
    return sorted([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])


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
