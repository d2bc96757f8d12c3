"""Checkpoint files, written atomically and with a checksum.

`torch.save` writes a zip, and a zip may end with a comment. Here the comment is the SHA-256 of all bytes before it. So
a checkpoint stays a single file that `torch.load`, `unzip` and any other reader of zips can open.
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

from vae_lightning.config.replay import resume_command
from vae_lightning.errors import UserError, as_user_error, one_line
from vae_lightning.io.atomic import PARTIAL, atomic_writer
from vae_lightning.runs.layout import LAST, PREVIOUS

DIGEST_SIZE = hashlib.sha256().digest_size * 2  # in hexadecimal, so that `unzip -z` shows it
END_OF_ZIP = b"PK\x05\x06"  # the signature of a zip's last record: 22 bytes, then the comment


class AtomicCheckpointIO(CheckpointIO):
    """Write checkpoints atomically, keep the previous one, and verify them when they are read.

    The process may end or the disk fill up at any moment. `last.ckpt` becomes `previous.ckpt` once the new file is
    complete, unless it is damaged, in which case it is deleted. Partial files of killed processes are deleted as well.
    """

    def __init__(self) -> None:
        self.wrote_last = False  # by this process, so it need not be verified before it is kept

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint completely or not at all.

        Raises:
            UserError: if it cannot be written, for example because the disk is full; earlier checkpoints are unchanged.
        """
        path = Path(path)
        content = serialize_with_checksum(checkpoint)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for stale in path.parent.glob(f".*{PARTIAL}"):
                stale.unlink()
            with atomic_writer(content, path):
                if path.name == LAST:
                    if path.is_file() and (self.wrote_last or is_intact(path.read_bytes())):
                        path.replace(path.with_name(PREVIOUS))
                    self.wrote_last = True
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror or one_line(error)}). Earlier checkpoints are intact. Free"
                f" some space, then resume with {resume_command(path.parent.parent)}"
            ) from error

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> Any:
        """Read a checkpoint as plain data, on the CPU, after verifying its checksum.

        Raises:
            UserError: if the file is damaged or not a checkpoint.
        """
        return load_verified(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint if it exists."""
        Path(path).unlink(missing_ok=True)


def serialize_with_checksum(checkpoint: dict[str, Any]) -> memoryview:
    """Serialize a checkpoint to bytes: the zip of `torch.save`, with its checksum as the comment."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    buffer.seek(-2, os.SEEK_END)  # the length of the comment, 0 so far
    buffer.write(struct.pack("<H", DIGEST_SIZE))
    buffer.write(hashlib.sha256(buffer.getbuffer()).hexdigest().encode())
    return buffer.getbuffer()


def load_verified(path: Path) -> Any:
    """Read the contents of a checkpoint file as plain data, on the CPU.

    A file without our checksum, such as one written by `torch.save`, is verified by the CRC of each member of the zip,
    which torch does not check.

    Raises:
        UserError: if the file is damaged, cannot be read, or contains more than plain data.
    """
    with as_user_error(
        f"{path}: cannot be read as a checkpoint ({{error}}). Restore the file, or pass another checkpoint of the run."
    ):
        content = path.read_bytes()
        if not is_intact(content):
            raise ValueError("damaged, its checksum is wrong")
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def is_intact(content: bytes) -> bool:
    """Return whether bytes end with their checksum, or are a zip without one whose members are all intact."""
    body, digest = content[:-DIGEST_SIZE], content[-DIGEST_SIZE:]
    if body[-22:-18] == END_OF_ZIP and body[-2:] == struct.pack("<H", DIGEST_SIZE):
        return hashlib.sha256(body).hexdigest().encode() == digest
    if content[-22:-18] == END_OF_ZIP and content[-2:] == struct.pack("<H", 0):
        with suppress(Exception), zipfile.ZipFile(io.BytesIO(content)) as archive:  # the directory may be damaged too
            return archive.testzip() is None
    return False
