"""Atomic writes: a file is complete or not there, whenever the process ends and however full the disk is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".partial"  # the suffix of a file that is being written


def atomic_write(content: str | bytes, path: Path) -> None:
    """Write a file, replacing an existing one.

    Raises:
        OSError: if it cannot be written; an existing file is unchanged.
    """
    with atomic_writer(content.encode() if isinstance(content, str) else content, path):
        pass


@contextmanager
def atomic_writer(content: bytes | memoryview, path: Path) -> Iterator[None]:
    """Write a file under a temporary name, and rename it once the block has ended without an error."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield
        partial.replace(path)
        sync(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink()


def sync(path: Path) -> None:
    """Wait until a file, or the names of a directory's files, are on the disk. Does nothing on Windows."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
