"""Image files, decoded once into one uint8 file that is mapped into memory.

A cache is a directory with `images.u8`, all images in sequence; `labels.npy`, if there are labels; and `manifest.json`.
It is built under a temporary name and renamed when it is complete. It is built in chunks, so an interrupted build is
resumed.
"""

import errno
import fcntl
import hashlib
import json
import logging
import mmap
import os
import warnings
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from math import prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.image_decoding import Crop, DecodedChunk, DecodeJob, Source, decode_chunk, exit_with_parent

CHUNK = 256  # images, about a second of decoding, which is all that a kill can cost a core
VERIFIED = 2**28  # bytes; caches up to this size are verified each time they are opened
log = logging.getLogger(__name__)


class CacheContents(NamedTuple):
    """The contents of a cache in order: all of `train`, then `val`, then `test`.

    Attributes:
        names: of the images.
        sizes: number of images in each split.
        labels: int64 (N,) or (N, A), or None.
        label_names: of the classes or the A attributes.
    """

    names: list[str]
    sizes: dict[str, int]
    labels: np.ndarray | None
    label_names: list[str]


class CacheSpec(NamedTuple):
    """How the images of a source are turned into a cache.

    Attributes:
        name: of the data set.
        source: where the images are read from.
        fingerprint: changes whenever the source does.
        image_shape: (C, H, W).
        crop: see `image_decoding.decode`.
        split: a description of how the images are split.
    """

    name: str
    source: Source
    fingerprint: str
    image_shape: tuple[int, int, int]
    crop: Crop
    split: str

    def describe(self) -> dict[str, Any]:
        """Return the entries of the manifest that determine the name of the cache."""
        return {**self._asdict(), "source": str(self.source.path), "image_shape": list(self.image_shape)}

    def folder(self, root: Path) -> Path:
        """Return the directory of the cache, named by the contents of the source, crop and size."""
        identity = {key: value for key, value in self.describe().items() if key != "source"}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        return root / f"{self.name}-{'x'.join(map(str, self.image_shape))}-{key}"


def fingerprint(files: Iterable[Path] | Iterable[os.DirEntry[str]]) -> str:
    """Hash names, sizes and modification times of files, about 200,000 per second, without reading them."""
    states = ((file.name, file.stat()) for file in files)
    lines = sorted(f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def ensure_cache(spec: CacheSpec, contents: Callable[[], CacheContents], root: Path, skip_corrupt: bool) -> None:
    """Build the cache if it does not exist yet, or wait for another process that is building it.

    Args:
        spec: what to build.
        contents: returns the contents, if they are needed.
        root: directory of all caches.
        skip_corrupt: skip images that cannot be decoded, instead of raising an error.

    Raises:
        UserError: if an image cannot be decoded, or the cache cannot be written.
    """
    folder = spec.folder(root)
    if folder.is_dir():
        return
    with cache_lock(root):
        if not folder.is_dir():
            build(spec, contents(), folder, skip_corrupt)


@contextmanager
def cache_lock(root: Path) -> Iterator[None]:
    """Let one process at a time write caches. The system releases the lock however the process ends.

    Raises:
        UserError: if something cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        fix = "Free some space, or set" if error.errno == errno.ENOSPC else "Set"
        raise UserError(
            f"data: the cache cannot be written to {root} ({one_line(error)}). {fix} data.cache to another directory."
        ) from error


def build(spec: CacheSpec, contents: CacheContents, folder: Path, skip_corrupt: bool) -> None:
    """Decode all images that have not been decoded yet, then rename the cache.

    Raises:
        UserError: if an image cannot be decoded, unless `skip_corrupt`.
    """
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(exist_ok=True)
    images = partial / "images.u8"
    failed = decode_all(spec, contents.names, images)
    left_out = {contents.names[i]: reason for i, reason in failed.items()}
    if failed:
        name, reason = next(iter(left_out.items()))
        message = (
            f"data: {len(failed):,} of {len(contents.names):,} images cannot be decoded, first"
            f" {spec.source.path / name} ({reason})"
        )
        if not skip_corrupt or len(failed) == len(contents.names):
            raise UserError(f"{message}. Replace the file, or set data.skip_corrupt=true to skip such images.")
        log.warning("%s; skipping these images, which are listed in %s", message, folder / "manifest.json")
        contents = drop_images(contents, failed, images, prod(spec.image_shape))
    if contents.labels is not None:
        np.save(partial / "labels.npy", contents.labels)
    (partial / "chunks.jsonl").unlink()
    named = {"sizes": contents.sizes, "label_names": contents.label_names, "left_out": left_out}
    seal(partial, folder, {**spec.describe(), "count": len(contents.names), **named})


def seal(partial: Path, folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a complete cache and give it its final name.

    Args:
        partial: directory with `images.u8`, and `labels.npy` if there are labels.
        folder: the final directory.
        manifest: `count`, `image_shape`, `sizes` and `label_names`, and further information.
    """
    labels = partial / "labels.npy"
    manifest["crc32"] = crc32(partial / "images.u8")
    manifest["labels"] = crc32(labels) if labels.is_file() else None
    (partial / "manifest.json").write_bytes(serialize_manifest(manifest))
    for path in [*partial.iterdir(), partial]:
        sync(path)
    partial.rename(folder)
    sync(folder.parent)


def decode_all(spec: CacheSpec, names: list[str], images: Path) -> dict[int, str]:
    """Decode on all cores what an earlier run has not; return the indices of failed images, with the reason."""
    size = prod(spec.image_shape)
    record = images.with_name("chunks.jsonl")  # one line per chunk that is on the disk
    with images.open("a+b") as file:
        reserve(file.fileno(), size * len(names))
    done = completed_chunks(record, images, size, len(names))
    chunks = [
        DecodeJob(k, names[i : i + CHUNK], spec.source, spec.image_shape, spec.crop, images, i * size)
        for k, i in enumerate(range(0, len(names), CHUNK))
        if k not in done
    ]
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, transient=True) as progress, record.open("a") as lines:
        task = progress.add_task(f"decoding {spec.name}, once", total=len(names))
        progress.advance(task, len(names) - sum(len(chunk.names) for chunk in chunks))
        for written in decode_in_parallel(chunks):
            done[written.number] = written
            lines.write(json.dumps(written._asdict()) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
            progress.advance(task, CHUNK)
    return {k * CHUNK + int(i): reason for k in sorted(done) for i, reason in done[k].failed.items()}


def decode_in_parallel(chunks: list[DecodeJob]) -> Iterator[DecodedChunk]:
    """Decode chunks in as many processes as there are cores; in this process if there are only a few."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, len(chunks) // 2)
    if workers < 2:
        yield from map(decode_chunk, chunks)
        return
    # spawned, since forking a process with torch's threads may hang
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=exit_with_parent)
    try:
        for future in as_completed([pool.submit(decode_chunk, chunk) for chunk in chunks]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def reserve(descriptor: int, size: int) -> None:
    """Allocate the size of a file, so a full disk is reported before the work."""
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(descriptor, 0, size)
    os.ftruncate(descriptor, size)


def completed_chunks(record: Path, images: Path, size: int, n: int) -> dict[int, DecodedChunk]:
    """Return the chunks that an earlier run has completed, without those that are truncated or have changed."""
    done: dict[int, DecodedChunk] = {}
    if not record.is_file():
        return done
    with images.open("rb") as file:
        for line in record.read_text().splitlines():
            with suppress(ValueError, KeyError, TypeError):
                written = DecodedChunk(**json.loads(line))
                file.seek(written.number * CHUNK * size)
                if zlib.crc32(file.read(min(CHUNK, n - written.number * CHUNK) * size)) == written.crc:
                    done[written.number] = written
    return done


def drop_images(contents: CacheContents, failed: Collection[int], images: Path, size: int) -> CacheContents:
    """Remove failed images from the contents and from the file, moving later images forward."""
    kept = [i for i in range(len(contents.names)) if i not in failed]
    with images.open("r+b") as file:
        for place, i in enumerate(kept):
            if place != i:
                file.seek(i * size)
                data = file.read(size)
                file.seek(place * size)
                file.write(data)
        file.truncate(len(kept) * size)
    ends = np.cumsum(list(contents.sizes.values()))
    sizes = np.diff(np.searchsorted(kept, ends), prepend=0)
    return CacheContents(
        [contents.names[i] for i in kept],
        dict(zip(contents.sizes, sizes.tolist(), strict=True)),
        None if contents.labels is None else contents.labels[kept],
        contents.label_names,
    )


class OpenCache(NamedTuple):
    """An open cache.

    Attributes:
        splits: views of the file, read on access.
        label_names: of the classes or the attributes.
    """

    splits: dict[str, Batch]
    label_names: list[str]


def open_cache(folder: Path) -> OpenCache:
    """Map a cache into memory.

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
        if size != prod(shape) or (size <= VERIFIED and crc32(images) != manifest["crc32"]):
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
    """Map the bytes of a file to a read-only tensor.

    A file of up to half of the memory is read ahead in order. A larger one is not: shuffled images are not read in
    sequence, and reading ahead would evict pages that are still useful.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data.madvise(mmap.MADV_WILLNEED if 2 * len(data) <= available_memory() else mmap.MADV_RANDOM)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable")
        return torch.frombuffer(data, dtype=torch.uint8)


def available_memory() -> int:
    """Return the bytes of memory available to this process, limited by its container."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # another system, or "max"
            sizes.append(int((Path("/sys/fs/cgroup") / limit).read_text()))
    return min(sizes)


def serialize_manifest(manifest: dict[str, Any]) -> bytes:
    """Serialize a manifest to bytes that contain their own CRC-32, so any change is noticed."""
    checksum = zlib.crc32(json.dumps(manifest, sort_keys=True).encode())
    return json.dumps({**manifest, "manifest": checksum}, indent=1).encode()


def crc32(path: Path) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(2**24):
            crc = zlib.crc32(block, crc)
    return crc


def sync(path: Path) -> None:
    """Wait until a file or a directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
