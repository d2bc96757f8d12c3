"""Decoded images in one uint8 file, which is mapped into memory.

A cache is a directory with `images.u8`, all images in sequence; `labels.npy`, if there are labels; and `manifest.json`,
which has their sizes and checksums.
"""

import json
import mmap
import warnings
import zlib
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.atomic import sync
from vae_lightning.io.resources import total_memory

MAX_VERIFIED_BYTES = 2**28  # a larger cache is not read through each time it is opened, only its size is checked


def seal(partial: Path, folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a complete cache and give it its final name.

    Args:
        partial: directory with `images.u8`, and `labels.npy` if there are labels.
        folder: the final directory.
        manifest: `count`, `image_shape`, `sizes` and `label_names`, and any further entries.
    """
    labels = partial / "labels.npy"
    manifest["crc32"] = crc32(partial / "images.u8")
    manifest["labels"] = crc32(labels) if labels.is_file() else None
    (partial / "manifest.json").write_bytes(serialize_manifest(manifest))
    for path in [*partial.iterdir(), partial]:
        sync(path)
    partial.rename(folder)
    sync(folder.parent)


class OpenCache(NamedTuple):
    """An open cache.

    Attributes:
        splits: views of the mapped file, whose pages are read on access.
        label_names: names of the classes or of the attributes.
    """

    splits: dict[str, Batch]
    label_names: list[str]


def open_cache(folder: Path) -> OpenCache:
    """Map a cache into memory, after verifying it.

    Raises:
        UserError: if a file is missing or damaged.
    """
    images = folder / "images.u8"
    try:
        content = (folder / "manifest.json").read_bytes()
        manifest = json.loads(content)
        del manifest["manifest"]
        if content != serialize_manifest(manifest):
            raise ValueError("manifest.json has changed")
        shape = (manifest["count"], *manifest["image_shape"])
        size = images.stat().st_size
        if size != prod(shape) or (size <= MAX_VERIFIED_BYTES and crc32(images) != manifest["crc32"]):
            raise ValueError("images.u8 has changed")
        labels = None
        if manifest["labels"] is not None:
            if crc32(folder / "labels.npy") != manifest["labels"]:
                raise ValueError("labels.npy has changed")
            labels = torch.from_numpy(np.load(folder / "labels.npy"))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(
            f"data: the cache {folder} is damaged ({one_line(error)}). Delete it to build it again."
        ) from error
    x = map_file(images).view(shape)
    bounds = np.cumsum([0, *manifest["sizes"].values()]).tolist()
    splits = {
        name: Batch(x[start:end], None if labels is None else labels[start:end])
        for name, start, end in zip(manifest["sizes"], bounds, bounds[1:], strict=False)
    }
    return OpenCache(splits, manifest["label_names"])


def map_file(path: Path) -> Tensor:
    """Map a file into memory as a read-only uint8 tensor of its bytes.

    A file of up to half of the memory is read ahead, in order. A larger one is not: shuffled images are not read in
    sequence, and reading ahead would evict pages that are still useful.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data.madvise(mmap.MADV_WILLNEED if 2 * len(data) <= total_memory() else mmap.MADV_RANDOM)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable")
        return torch.frombuffer(data, dtype=torch.uint8)


def serialize_manifest(manifest: dict[str, Any]) -> bytes:
    """Serialize a manifest to JSON that contains its own CRC-32, so any change is detected."""
    checksum = zlib.crc32(json.dumps(manifest, sort_keys=True).encode())
    return json.dumps({**manifest, "manifest": checksum}, indent=1).encode()


def crc32(path: Path) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(2**24):
            crc = zlib.crc32(block, crc)
    return crc
