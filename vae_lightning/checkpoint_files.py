"""Checkpoint files: on the disk whole or not at all, and with a checksum inside.

`torch.save` writes a zip, and a zip may end with a comment: here it is the SHA-256 of all bytes before it. So one file
is all there is to move, and `torch.load`, `unzip` and whatever else reads a zip take it as it is.
"""

import hashlib
import io
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from vae_lightning.errors import UserError, one_line
from vae_lightning.runs import LAST, PREVIOUS
from vae_lightning.whole_files import PARTIAL, written_beside

DIGEST_SIZE = hashlib.sha256().digest_size * 2  # hexadecimal, so that `unzip -z` shows it
END_OF_ZIP = b"PK\x05\x06"  # of a zip's last record, which has 22 bytes and then the comment


class CheckpointFiles(CheckpointIO):
    """How the Trainer writes and reads a checkpoint.

    A process may end, or a disk be full, at any moment (`whole_files`). The last checkpoint becomes the previous one
    when the new one is whole, unless it is damaged: then it goes. What a killed process left half written goes with
    the next checkpoint.
    """

    def __init__(self) -> None:
        self.is_ours = False  # the last checkpoint: written by this process, so that it need not be read again

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint whole or not at all.

        Raises:
            UserError: when it cannot be written, such as on a full disk; the checkpoints before it are as they were.
        """
        path = Path(path)
        content = sealed(checkpoint)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for stale in path.parent.glob(f".*{PARTIAL}"):
                stale.unlink()
            with written_beside(content, path):
                if path.name == LAST:
                    if path.is_file() and (self.is_ours or is_whole(path.read_bytes())):
                        path.replace(path.with_name(PREVIOUS))
                    self.is_ours = True
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror or one_line(error)}); the checkpoints before it are whole:"
                f" make room, then type python train.py resume={path.parent.parent}"
            ) from error

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> Any:
        """Read a checkpoint as plain data, on the CPU, after its checksum has been verified.

        Raises:
            UserError: when the file is damaged, or no checkpoint.
        """
        return load_whole(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint, if it is there."""
        Path(path).unlink(missing_ok=True)


def sealed(checkpoint: dict[str, Any]) -> memoryview:
    """The bytes of a checkpoint's file: torch's zip, and the checksum of it as its comment."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    buffer.seek(-2, os.SEEK_END)  # the length of the comment: none so far
    buffer.write(struct.pack("<H", DIGEST_SIZE))
    buffer.write(hashlib.sha256(buffer.getbuffer()).hexdigest().encode())
    return buffer.getbuffer()


def load_whole(path: Path) -> Any:
    """What a checkpoint's file holds, as plain data, on the CPU.

    A file without our checksum, such as one that `torch.save` wrote, is held against the CRC of each of its parts,
    which a zip has and torch does not look at.

    Raises:
        UserError: when the file is damaged, cannot be read, or holds more than plain data.
    """
    try:
        content = path.read_bytes()
        if not is_whole(content):
            raise ValueError("it is damaged, its checksum is wrong")
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged or foreign file may raise is listed nowhere
        raise UserError(f"{path}: cannot be read as a checkpoint ({one_line(error)})") from error


def is_whole(content: bytes) -> bool:
    """Whether a file ends with the checksum of what is before, or is a zip without one and all its parts are whole."""
    body, digest = content[:-DIGEST_SIZE], content[-DIGEST_SIZE:]
    if body[-22:-18] == END_OF_ZIP and body[-2:] == struct.pack("<H", DIGEST_SIZE):
        return hashlib.sha256(body).hexdigest().encode() == digest
    if content[-22:-18] == END_OF_ZIP and content[-2:] == struct.pack("<H", 0):
        with suppress(Exception), zipfile.ZipFile(io.BytesIO(content)) as archive:  # its own list may be damaged, too
            return archive.testzip() is None
    return False
