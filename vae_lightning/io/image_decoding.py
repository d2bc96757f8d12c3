"""Decoding of image files into a cache, in several processes.

This module does not import torch, which would take each process seconds.
"""

import os
import re
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

IN_MEMORY_FILE = re.compile(r" <_io\.BytesIO object at \w+>")  # in Pillow's messages, instead of a file name


class FolderSource(NamedTuple):
    """Directory of images, named by their relative paths."""

    path: Path

    def read(self, name: str) -> bytes:
        """Read the bytes of one file."""
        return (self.path / name).read_bytes()


class ZipSource(NamedTuple):
    """Zip file of images, named by their paths in it."""

    path: Path

    def read(self, name: str) -> bytes:
        """Read the bytes of one member and verify its checksum."""
        return open_zip(self.path).read(name)


Source = FolderSource | ZipSource


@cache
def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file once per process."""
    return zipfile.ZipFile(path)


def decode(data: bytes, image_shape: Sequence[int], crop: Crop) -> np.ndarray:
    """Decode an image file to uint8 (C, H, W), rotated by its EXIF orientation, cropped and resized.

    Args:
        data: contents of the file, in any format and mode that Pillow reads; transparency becomes white.
        image_shape: (C, H, W); C is 1 for grayscale, 3 for RGB.
        crop: the box [left, top, right, bottom] to keep, the side of a centered square, `square` for the largest
            centered square, or None.

    Raises:
        ValueError: if the crop does not fit the image.
        OSError: if Pillow cannot decode the file.
    """
    channels, height, width = image_shape
    with Image.open(BytesIO(data)) as image:
        # a crop that does not depend on the resolution allows decoding a JPEG at down to an eighth of its size
        if crop is None or crop == "square":
            image.draft(None, (2 * max(height, width),) * 2)
        rotated = ImageOps.exif_transpose(image)
        box = crop_box(rotated.size, crop)
        cropped = convert_mode(rotated, "L" if channels == 1 else "RGB").crop(box)
        resized = cropped.resize((width, height), Image.Resampling.BILINEAR)  # with antialiasing
    return np.asarray(resized).reshape(height, width, channels).transpose(2, 0, 1)


def crop_box(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) to keep of an image of size (width, height).

    Raises:
        ValueError: if it does not fit the image.
    """
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
    """Convert an image of any mode to grayscale (`L`) or `RGB`."""
    if image.mode.startswith("I"):  # 16 bits per pixel, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


class DecodeJob(NamedTuple):
    """Chunk of images to decode, and where to write them.

    Attributes:
        number: index of the chunk.
        names: names of the images in the source.
        source: where the images are read from.
        image_shape: (C, H, W).
        crop: see `decode`.
        path: file to write to.
        offset: position in the file, in bytes.
    """

    number: int
    names: list[str]
    source: Source
    image_shape: tuple[int, int, int]
    crop: Crop
    path: Path
    offset: int


class DecodedChunk(NamedTuple):
    """Chunk that has been decoded and written to disk.

    Attributes:
        number: index of the chunk.
        crc: CRC-32 of its bytes.
        failed: reason for each image that could not be decoded, by its index in the chunk; such an image is black.
    """

    number: int
    crc: int
    failed: dict[int, str]


def decode_chunk(job: DecodeJob) -> DecodedChunk:
    """Decode a chunk and write it to disk."""
    images = np.zeros((len(job.names), *job.image_shape), dtype=np.uint8)
    failed: dict[int, str] = {}
    for i, name in enumerate(job.names):
        try:
            images[i] = decode(job.source.read(name), job.image_shape, job.crop)
        except Exception as error:  # damaged files cause various errors
            failed[i] = IN_MEMORY_FILE.sub("", " ".join(str(error).split())) or type(error).__name__
    data = images.tobytes()
    with job.path.open("r+b") as file:
        file.seek(job.offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return DecodedChunk(job.number, zlib.crc32(data), failed)


def exit_with_parent() -> None:
    """Make this process exit when its parent ends, even if the parent is killed by SIGKILL."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
