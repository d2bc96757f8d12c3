"""Reading a large array some rows at a time, from an npz file or another open file."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from gzip import GzipFile
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

ROWS = 8192  # read at a time: 32 MB of gray images of 64 x 64


def array_shape(path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of an array of bytes in an npz file."""
    with open_array(path, name) as (_, shape):
        return shape


def stream_rows(path: Path, name: str) -> Iterator[np.ndarray]:
    """Iterate over the rows of an array of bytes in an npz file, `ROWS` at a time, and verify its checksum at the end.

    Args:
        path: of the file, compressed or not.
        name: of the array, uint8 (N, ...).

    Raises:
        ValueError: if the array has another type. Damaged files raise other exceptions as well.
    """
    with open_array(path, name) as (file, shape):
        yield from read_rows(file, np.dtype(np.uint8), shape, ROWS)


def read_rows(
    file: IO[bytes] | GzipFile, dtype: np.dtype[Any], shape: Sequence[int], size: int
) -> Iterator[np.ndarray]:
    """Iterate over the rows of an array in a compressed file, `size` at a time, and verify the checksum at the end.

    Args:
        file: at the first row.
        dtype: of the array.
        shape: of the array, (N, ...).
        size: number of rows.
    """
    n, *row = shape
    for start in range(0, n, size):
        content = file.read(min(size, n - start) * prod(row) * dtype.itemsize)
        yield np.frombuffer(content, dtype).reshape(-1, *row)
    file.read(1)  # at the end, the checksum is verified


@contextmanager
def open_array(path: Path, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Open an array of bytes in an npz file at its first row; give the open file and the shape.

    Raises:
        ValueError: if the array has another type.
    """
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        np.lib.format.read_magic(file)
        shape, is_fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype != np.uint8 or is_fortran_order:
            raise ValueError(f"its {name} are {dtype} {shape}")
        yield file, shape
