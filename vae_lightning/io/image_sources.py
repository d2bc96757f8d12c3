"""Where image files are read from: a directory, a zip file or Parquet files.

This module does not import torch, since it is used by the processes that decode images.
"""

import zipfile
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple


class FolderSource(NamedTuple):
    """Directory of images, named by their relative paths."""

    path: Path

    def read(self, name: str) -> bytes:
        """Read the bytes of one file."""
        return (self.path / name).read_bytes()


class ZipSource(NamedTuple):
    """Zip file of images, named by their paths in it."""

    path: Path

    def read(self, name: str) -> bytes:
        """Read the bytes of one member and verify its checksum."""
        return open_zip(self.path).read(name)


class ParquetSource(NamedTuple):
    """Directory of Parquet files as on the Hugging Face Hub, whose column `image` has the bytes of image files.

    The images are named `FILE:GROUP:ROW`, by the relative path of the file, the row group and the row in the group.
    """

    path: Path

    def read(self, name: str) -> bytes:
        """Read the bytes of one image."""
        file, group, row = name.rsplit(":", 2)
        return read_row_group(self.path / file, int(group))[int(row)].as_py()


Source = FolderSource | ZipSource | ParquetSource


@cache
def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file once per process."""
    return zipfile.ZipFile(path)


@lru_cache(maxsize=2)
def read_row_group(path: Path, group: int) -> Any:
    """Read the images of a row group: an array of bytes. Cached, since rows are read in sequence."""
    from pyarrow import parquet

    return parquet.ParquetFile(path).read_row_group(group, columns=["image.bytes"])["image"].combine_chunks().field(0)
