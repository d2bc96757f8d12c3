"""Letting one process at a time into a block of code."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


@contextmanager
def file_lock(path: Path, *, blocking: bool = True) -> Iterator[None]:
    """Hold a lock, which the operating system releases however the process ends.

    Args:
        path: of the file that stands for the lock. It exists while the lock is held.
        blocking: wait for the lock.

    Raises:
        filelock.Timeout: if another process holds it and `blocking` is false.
        OSError: if the file cannot be created, or the file system has no locks.
    """
    with FileLock(path, blocking=blocking):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps a file that is open
                path.unlink()  # before the release: processes that wait notice it, and create the file again
