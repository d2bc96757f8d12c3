"""Keeping two processes from training in the same run directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vae_lightning.errors import UserError


class RunInUse(UserError):  # noqa: N818 - as `Interrupted`, a state of the run
    """Another process trains in the run directory."""


@contextmanager
def exclusive(run_dir: Path) -> Iterator[None]:
    """Hold a lock on a run directory, which the operating system releases however the process ends.

    On file systems that cannot lock directories, such as NFS, nothing is locked. The directory is created if necessary
    and removed again if it is still empty.

    Raises:
        RunInUse: if another process holds it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(run_dir, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunInUse(f"{run_dir}: another process trains this run. Wait until it ends, or stop it.") from None
        yield
    finally:
        os.close(descriptor)
        with suppress(OSError):  # raised unless it is empty
            run_dir.rmdir()
