"""Decoding of image files into a cache, in several processes.

This module does not import torch, which would take each process seconds.
"""

import os
import threading
import warnings
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from io import BytesIO
from multiprocessing import connection, parent_process
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from vae_lightning.errors import one_line
from vae_lightning.io.image_sources import Source

Crop = Sequence[int] | int | str | None

DECODER_VERSION = 3  # of `decode`; increased when it decodes any file differently, so that caches are built again
FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF"),
    *("JPEG2000", "PPM", "ICO", "PCX", "SGI", "QOI", "DDS"),
)
SEVERAL_IMAGES = {"AVIF", "GIF", "PNG", "TIFF", "WEBP"}  # formats with animations or stacks of images

with suppress(ImportError):  # an optional package, for HEIC
    from pillow_heif import register_heif_opener

    register_heif_opener()


class DecodedImage(NamedTuple):
    """Decoded image file.

    Attributes:
        pixels: uint8 (C, H, W).
        is_first_of_several: whether the file has further images: the frames of an animation or the pages of a stack.
    """

    pixels: np.ndarray
    is_first_of_several: bool


@cache
def formats_of(suffix: str) -> tuple[str, ...]:
    """Return the formats that a file may have, whatever its suffix.

    TGA files have no signature, so almost any bytes could be one; only files named so are read as TGA. Formats that are
    not listed, such as EPS, which runs another program, are not read at all.
    """
    Image.init()
    formats = (*FORMATS, "TGA") if suffix.lower() in (".tga", ".icb", ".vda", ".vst") else FORMATS
    return tuple(name for name in formats if name in Image.OPEN)


def decode(data: bytes, image_shape: Sequence[int], crop: Crop, suffix: str = "") -> DecodedImage:
    """Decode an image file, rotate it by its EXIF orientation, crop and resize it.

    Args:
        data: contents of the file, in any format and mode that Pillow reads; see `convert_mode`. Of an animation or a
            stack, the first image is decoded.
        image_shape: (C, H, W); C is 1 for grayscale, 3 for RGB.
        crop: the box [left, top, right, bottom] to keep, the side of a centered square, `square` for the largest
            centered square, or None.
        suffix: of the file's name, see `formats_of`.

    Raises:
        ValueError: if the crop does not fit the image, or its range of values is unknown.
        OSError: if Pillow cannot decode the file.
    """
    channels, height, width = image_shape
    with Image.open(BytesIO(data), formats=formats_of(suffix)) as image:
        # a crop that does not depend on the resolution allows decoding a JPEG at down to an eighth of its size
        if crop is None or crop == "square":
            image.draft(None, (2 * max(height, width),) * 2)
        rotated = ImageOps.exif_transpose(image)
        rotated.format = image.format
        box = crop_box(rotated.size, crop)
        converted = convert_mode(rotated, "L" if channels == 1 else "RGB")
        cropped = (ImageOps.invert(converted) if is_inverted(image) else converted).crop(box)
        resized = cropped.resize((width, height), Image.Resampling.BILINEAR)  # with antialiasing
        pixels = np.asarray(resized).reshape(height, width, channels).transpose(2, 0, 1)
        # last, since it may read on
        return DecodedImage(pixels, image.format in SEVERAL_IMAGES and getattr(image, "is_animated", False))


def crop_box(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) to keep of an image of size (width, height).

    Raises:
        ValueError: if it has no area, or does not fit the image.
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
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(f"crop {list(box)} has no area")
    if min(box) < 0 or box[2] > width or box[3] > height:
        raise ValueError(f"crop {list(box)} does not fit an image of {width} x {height}")
    return box


def convert_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert an image of any mode to grayscale (`L`) or `RGB`; transparency becomes white.

    Raises:
        ValueError: if the range of its values is unknown; see `scale_gray`.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(scale_gray(image)).convert(mode)
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
        assert converted is not None  # it is only None for an image that is converted in place
        image = converted
    if image.mode == "La":  # premultiplied by alpha, which Pillow converts to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def is_inverted(image: Image.Image) -> bool:
    """Return whether 0 is white in a TIFF file of more than 8 bits per pixel; Pillow inverts only up to 8 bits."""
    is_deep = image.mode == "F" or image.mode.startswith("I")
    return is_deep and isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0


def scale_gray(image: Image.Image) -> np.ndarray:
    """Scale a gray image of more than 8 bits per pixel to uint8 (H, W).

    16 bits are divided by 256. Files with 32 bits do not define the range of their values: integers must be from 0 to
    255, floating-point numbers from 0 to 1.

    Raises:
        ValueError: if a 32-bit image has other values.
    """
    x = np.asarray(image)
    # Pillow uses the 32-bit mode for the 16 bits of a PGM file, and in older versions of a PNG file
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        if "transparency" in image.info:
            x = np.where(x == image.info["transparency"], 65535, x)
        return (x >> 8).astype(np.uint8)
    low, high, limit = x.min(), x.max(), 1 if image.mode == "F" else 255
    if not (low >= 0 and high <= limit):  # NaN is not, either
        raise ValueError(f"32-bit gray values from {low:g} to {high:g}, not from 0 to {limit}")
    return np.rint(x * (255 / limit)).astype(np.uint8)


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
        several: indices of the images that are the first of several in their file.
    """

    number: int
    crc: int
    failed: dict[int, str]
    several: list[int]


def decode_chunk(job: DecodeJob) -> DecodedChunk:
    """Decode a chunk and write it to disk."""
    images = np.zeros((len(job.names), *job.image_shape), dtype=np.uint8)
    failed: dict[int, str] = {}
    several: list[int] = []
    for i, name in enumerate(job.names):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, but not too large
                images[i], is_first_of_several = decode(
                    job.source.read(name), job.image_shape, job.crop, PurePath(name).suffix
                )
            several += [i] * is_first_of_several
        except UnidentifiedImageError:
            failed[i] = f"not an image of a format that is read with Pillow {PIL.__version__}"
        except Image.DecompressionBombError:
            failed[i] = f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, the limit of Pillow"
        except Exception as error:  # damaged files cause various errors
            failed[i] = one_line(error)
    data = images.tobytes()
    with job.path.open("r+b") as file:
        file.seek(job.offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return DecodedChunk(job.number, zlib.crc32(data), failed, several)


def exit_with_parent() -> None:
    """Make this process exit when its parent ends, even if the parent is killed by SIGKILL."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
