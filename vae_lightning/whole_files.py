"""Files that are on the disk whole or not at all, whenever the process ends and however full the disk is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".partial"  # the ending of a file that is being written


def write_whole(content: str | bytes, path: Path) -> None:
    """Write a file, in the place of the one that is there.

    Raises:
        OSError: when it cannot be written; the one that was there is as it was.
    """
    with written_beside(content.encode() if isinstance(content, str) else content, path):
        pass


@contextmanager
def written_beside(content: bytes | memoryview, path: Path) -> Iterator[None]:
    """The same in two parts: write it under another name, and give it its own when the block ends without an error."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield
        partial.replace(path)
        flush(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink()


def flush(folder: Path) -> None:
    """Wait until the disk has the names of a folder's files; where a folder cannot be opened, as on Windows, do not."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
