"""Downloading a file, completely or not at all, and the error if it cannot be read."""

import sys
import urllib.request
from contextlib import AbstractContextManager, suppress
from http.client import HTTPException
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from vae_lightning.errors import UserError, as_user_error, one_line
from vae_lightning.io.file_lock import file_lock


def fetch(url: str, path: Path, choice: str, alternative: str) -> None:
    """Download a file under a temporary name, and rename it when it is complete. Other processes wait for it.

    Args:
        url: of the file.
        path: where to put it.
        choice: name of the dataset in conf/data/, for error messages.
        alternative: name of a dataset that needs no download.

    Raises:
        UserError: if it cannot be downloaded.
    """
    part, lock = (path.with_name(f".{path.name}.{suffix}") for suffix in ("part", "lock"))
    new = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(lock):
            if not path.is_file():
                try:
                    download(url, part, f"downloading {path.name}")
                    part.replace(path)
                finally:  # before another process may write it
                    part.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:  # includes the errors of urllib
        raise UserError(
            f"data={choice}: no {path.resolve()}, and the download failed ({one_line(error)}). Put {url} there, or use"
            f" data={alternative}, which needs no download."
        ) from error
    finally:
        with suppress(OSError):  # raised if the directory is not empty
            if new:
                path.parent.rmdir()


def download(url: str, path: Path, description: str) -> None:
    """Download a file, with a progress bar on a terminal.

    Raises:
        OSError: if it cannot be downloaded, or the connection ends early.
    """
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with (
        urllib.request.urlopen(url, timeout=30) as response,
        path.open("wb") as file,
        Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as progress,
    ):
        total = int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        task = progress.add_task(description, total=total)
        while block := response.read(2**20):
            file.write(block)
            progress.advance(task, len(block))
        if total is not None and file.tell() < total:
            raise OSError(f"only {file.tell():,} of {total:,} bytes arrived")


def explain_unreadable(choice: str, path: Path) -> AbstractContextManager[None]:
    """Turn any exception raised while reading a downloaded file into a `UserError`.

    Args:
        choice: name of the dataset in conf/data/.
        path: of the file.
    """
    return as_user_error(
        f"data={choice}: {path.resolve()} cannot be read ({{error}}). Download it again, or set data.root to the"
        " directory that contains it."
    )
