"""Keeping two processes from training in the same run directory."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from vae_lightning.errors import UserError
from vae_lightning.io.file_lock import file_lock


class RunInUse(UserError):  # noqa: N818 - as `Interrupted`, a state of the run
    """Another process trains in the run directory."""


@contextmanager
def exclusive(run_dir: Path) -> Iterator[None]:
    """Hold a lock on a run directory, which the operating system releases however the process ends.

    On file systems without locks, nothing is locked. The directory is created if necessary and removed again if it is
    still empty.

    Raises:
        RunInUse: if another process holds it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            with suppress(OSError):
                try:
                    stack.enter_context(file_lock(run_dir / ".lock", blocking=False))
                except Timeout:
                    message = f"{run_dir}: another process trains this run. Wait until it ends, or stop it."
                    raise RunInUse(message) from None
            yield
    finally:
        with suppress(OSError):  # raised unless it is empty
            run_dir.rmdir()
