"""Image files to arrays, and arrays to their place in a cache, in as many processes as there are cores.

Nothing here imports torch, which would cost each process seconds.
"""

import os
import threading
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

Crop = Sequence[int] | int | str | None


class FolderSource(NamedTuple):
    """Images in a folder, each named by its path from there."""

    path: Path

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        return (self.path / name).read_bytes()


class ZipSource(NamedTuple):
    """Images in a zip, each named by its path within."""

    path: Path

    def read(self, name: str) -> bytes:
        """The bytes of one member; its checksum is verified."""
        return open_zip(self.path).read(name)


Source = FolderSource | ZipSource


@cache
def open_zip(path: Path) -> zipfile.ZipFile:
    """Opened once in each process."""
    return zipfile.ZipFile(path)


def decode(data: bytes, image_shape: Sequence[int], crop: Crop) -> np.ndarray:
    """One image file as uint8 (C, H, W): turned as its EXIF says, cropped, resized.

    Args:
        data: the file, in any format that Pillow reads and of any mode; transparency is shown on white.
        image_shape: (C, H, W); C is 1 for grey, 3 for RGB.
        crop: the box [left, top, right, bottom] to keep; or the side of a square in the centre; or `square`, the
            largest in the centre; or None.

    Raises:
        ValueError: when the crop does not fit the image.
        OSError: when the file cannot be decoded, as Pillow says it.
    """
    channels, height, width = image_shape
    with Image.open(BytesIO(data)) as image:
        if crop is None or crop == "square":  # both know no pixels: a photograph may be decoded at an 8th of its size
            image.draft(None, (2 * max(height, width),) * 2)
        turned = ImageOps.exif_transpose(image)
        box = crop_box(turned.size, crop)
        part = convert_mode(turned, "L" if channels == 1 else "RGB").crop(box)
        part = part.resize((width, height), Image.Resampling.BILINEAR)  # with antialiasing, as Pillow does
    return np.asarray(part).reshape(height, width, channels).transpose(2, 0, 1)


def crop_box(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """The box to keep of an image of size (width, height)."""
    width, height = size
    if crop is None:
        return 0, 0, width, height
    if isinstance(crop, str | int):
        side = min(size) if isinstance(crop, str) else crop
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
    else:
        box = (crop[0], crop[1], crop[2], crop[3])
    if min(box) < 0 or box[2] > width or box[3] > height:
        raise ValueError(f"crop {list(box)} does not fit an image of {width} x {height}")
    return box


def convert_mode(image: Image.Image, mode: str) -> Image.Image:
    """An image of any mode as grey (`L`) or `RGB`."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


class DecodeJob(NamedTuple):
    """Some images of a source, and where they go.

    Attributes:
        number: which chunk of the cache it is.
        names: the images.
        source: what they are read from.
        image_shape: (C, H, W).
        crop: see `decode`.
        path: the file that they are written to.
        offset: where in it, in bytes.
    """

    number: int
    names: list[str]
    source: Source
    image_shape: tuple[int, int, int]
    crop: Crop
    path: Path
    offset: int


class DecodedChunk(NamedTuple):
    """A chunk that is on the disk.

    Attributes:
        number: which one.
        crc: the CRC-32 of its bytes.
        failed: the place in the chunk of each image that could not be decoded, and why; it is black.
    """

    number: int
    crc: int
    failed: dict[int, str]


def decode_chunk(chunk: DecodeJob) -> DecodedChunk:
    """Decode a chunk and write it to its place; when this returns, it is on the disk."""
    images = np.zeros((len(chunk.names), *chunk.image_shape), dtype=np.uint8)
    failed: dict[int, str] = {}
    for i, name in enumerate(chunk.names):
        try:
            images[i] = decode(chunk.source.read(name), chunk.image_shape, chunk.crop)
        except Exception as error:  # what a damaged file may raise is listed nowhere
            failed[i] = " ".join(str(error).split()) or type(error).__name__
    data = images.tobytes()
    with chunk.path.open("r+b") as file:
        file.seek(chunk.offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return DecodedChunk(chunk.number, zlib.crc32(data), failed)


def exit_with_parent() -> None:
    """Let this process end when the one that started it does, even by a signal that nobody can catch."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
