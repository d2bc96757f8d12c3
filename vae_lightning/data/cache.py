"""Image files decoded once, into one uint8 file that is mapped into memory.

A cache is a folder: `images.u8`, all images one after the other; `labels.npy` where there are any; `manifest.json`. It
is built under another name and renamed when it is whole, so that whatever has its name can be trusted. Building goes
chunk by chunk; what a killed run has finished, the next goes on from.
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

CHUNK = 256  # images: a second of decoding, all that a kill can cost a core
VERIFIED = 2**28  # bytes: caches up to this size are checked against their checksums each time they are opened
log = logging.getLogger(__name__)


class CacheContents(NamedTuple):
    """What goes into a cache, in its order: all of `train`, then `val`, then `test`.

    Attributes:
        names: the images.
        sizes: how many of them are in each split.
        labels: int64 (N,) or (N, A), or None.
        label_names: of the classes, or of the A attributes.
    """

    names: list[str]
    sizes: dict[str, int]
    labels: np.ndarray | None
    label_names: list[str]


class CacheSpec(NamedTuple):
    """How the images of a source become a cache.

    Attributes:
        name: of the data set.
        source: what the images are read from.
        fingerprint: changes whenever anything in the source does.
        image_shape: (C, H, W).
        crop: see `decoding.decode`.
        split: how the images are split, in words.
    """

    name: str
    source: Source
    fingerprint: str
    image_shape: tuple[int, int, int]
    crop: Crop
    split: str

    def describe(self) -> dict[str, Any]:
        """What is written into the manifest, and decides about the cache's name."""
        return {**self._asdict(), "source": str(self.source.path), "image_shape": list(self.image_shape)}

    def folder(self, root: Path) -> Path:
        """The cache's folder: another source, crop or size has another. A source that was moved keeps its own."""
        identity = {key: value for key, value in self.describe().items() if key != "source"}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        return root / f"{self.name}-{'x'.join(map(str, self.image_shape))}-{key}"


def fingerprint(files: Iterable[Path] | Iterable[os.DirEntry[str]]) -> str:
    """A hash of the names, sizes and times of change of files: 200,000 in a second, without reading one."""
    states = ((file.name, file.stat()) for file in files)
    lines = sorted(f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def ensure_cache(recipe: CacheSpec, plan: Callable[[], CacheContents], root: Path, skip_corrupt: bool) -> None:
    """Build the cache where it is not there yet; wait where another process is building it.

    Args:
        recipe: what is built.
        plan: makes the plan, when it is needed.
        root: the folder of all caches.
        skip_corrupt: leave out images that cannot be decoded, instead of stopping.

    Raises:
        UserError: when an image cannot be decoded, or the cache cannot be written.
    """
    folder = recipe.folder(root)
    if folder.is_dir():
        return
    with cache_lock(root):
        if not folder.is_dir():
            build(recipe, plan(), folder, skip_corrupt)


@contextmanager
def cache_lock(root: Path) -> Iterator[None]:
    """Let one process at a time write caches; the system takes the lock back when the process ends, however it does.

    Raises:
        UserError: when something cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        room = " make room, or" if error.errno == errno.ENOSPC else ""
        raise UserError(
            f"data: the cache cannot be written to {root} ({one_line(error)});{room} type data.cache=FOLDER"
        ) from error


def build(recipe: CacheSpec, plan: CacheContents, folder: Path, skip_corrupt: bool) -> None:
    """Decode everything that is not decoded yet, then give the cache its name."""
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(exist_ok=True)
    images = partial / "images.u8"
    failed = decode_all(recipe, plan.names, images)
    left_out = {plan.names[i]: reason for i, reason in failed.items()}
    if failed:
        name, reason = next(iter(left_out.items()))
        message = (
            f"data: {len(failed):,} of {len(plan.names):,} images cannot be decoded, the first is"
            f" {recipe.source.path / name} ({reason})"
        )
        if not skip_corrupt or len(failed) == len(plan.names):
            raise UserError(f"{message}; mend it, or type data.skip_corrupt=true to leave out such images")
        log.warning("%s; they are left out, and listed in %s", message, folder / "manifest.json")
        plan = drop_images(plan, failed, images, prod(recipe.image_shape))
    if plan.labels is not None:
        np.save(partial / "labels.npy", plan.labels)
    (partial / "chunks.jsonl").unlink()
    named = {"sizes": plan.sizes, "label_names": plan.label_names, "left_out": left_out}
    seal(partial, folder, {**recipe.describe(), "count": len(plan.names), **named})


def seal(partial: Path, folder: Path, manifest: dict[str, Any]) -> None:
    """Give a cache that is whole its manifest and its name.

    Args:
        partial: holds `images.u8`, and `labels.npy` where there are labels.
        folder: its name from now on.
        manifest: `count`, `image_shape`, `sizes` and `label_names`, and what a person may want to know.
    """
    labels = partial / "labels.npy"
    manifest["crc32"] = crc32(partial / "images.u8")
    manifest["labels"] = crc32(labels) if labels.is_file() else None
    (partial / "manifest.json").write_bytes(serialize_manifest(manifest))
    for path in [*partial.iterdir(), partial]:
        sync(path)
    partial.rename(folder)
    sync(folder.parent)


def decode_all(recipe: CacheSpec, names: list[str], images: Path) -> dict[int, str]:
    """Decode what an earlier run has not, by all cores, into `images`; return which images failed, and why."""
    size = prod(recipe.image_shape)
    record = images.with_name("chunks.jsonl")  # a line for each chunk that is on the disk
    with images.open("a+b") as file:
        reserve(file.fileno(), size * len(names))
    done = completed_chunks(record, images, size, len(names))
    chunks = [
        DecodeJob(k, names[i : i + CHUNK], recipe.source, recipe.image_shape, recipe.crop, images, i * size)
        for k, i in enumerate(range(0, len(names), CHUNK))
        if k not in done
    ]
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, transient=True) as progress, record.open("a") as lines:
        task = progress.add_task(f"decoding {recipe.name}, once", total=len(names))
        progress.advance(task, len(names) - sum(len(chunk.names) for chunk in chunks))
        for written in decode_in_parallel(chunks):
            done[written.number] = written
            lines.write(json.dumps(written._asdict()) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
            progress.advance(task, CHUNK)
    return {k * CHUNK + int(i): reason for k in sorted(done) for i, reason in done[k].failed.items()}


def decode_in_parallel(chunks: list[DecodeJob]) -> Iterator[DecodedChunk]:
    """Write chunks in as many processes as there are cores; a few are not worth the start of a process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, len(chunks) // 2)
    if workers < 2:
        yield from map(decode_chunk, chunks)
        return
    # spawned, since a fork of a process that runs torch's threads may hang
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=exit_with_parent)
    try:
        for future in as_completed([pool.submit(decode_chunk, chunk) for chunk in chunks]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def reserve(descriptor: int, size: int) -> None:
    """Give a file its size, so that a full disk is told before the work and not after it."""
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(descriptor, 0, size)
    os.ftruncate(descriptor, size)


def completed_chunks(record: Path, images: Path, size: int, n: int) -> dict[int, DecodedChunk]:
    """The chunks that an earlier run has finished; the last line may be cut off, a chunk's bytes may be others."""
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


def drop_images(plan: CacheContents, failed: Collection[int], images: Path, size: int) -> CacheContents:
    """The plan without some images, whose room in the file goes to those after them."""
    kept = [i for i in range(len(plan.names)) if i not in failed]
    with images.open("r+b") as file:
        for place, i in enumerate(kept):
            if place != i:
                file.seek(i * size)
                data = file.read(size)
                file.seek(place * size)
                file.write(data)
        file.truncate(len(kept) * size)
    ends = np.cumsum(list(plan.sizes.values()))
    sizes = np.diff(np.searchsorted(kept, ends), prepend=0)
    return CacheContents(
        [plan.names[i] for i in kept],
        dict(zip(plan.sizes, sizes.tolist(), strict=True)),
        None if plan.labels is None else plan.labels[kept],
        plan.label_names,
    )


class OpenCache(NamedTuple):
    """A cache that was opened.

    Attributes:
        splits: views of the one file, read as they are asked for.
        label_names: of the classes, or of the attributes.
    """

    splits: dict[str, Batch]
    label_names: list[str]


def open_cache(folder: Path) -> OpenCache:
    """Map a cache into memory.

    Raises:
        UserError: when a file of it is missing or damaged.
    """
    images = folder / "images.u8"
    try:
        content = (folder / "manifest.json").read_bytes()
        manifest = json.loads(content)
        del manifest["manifest"]
        if content != serialize_manifest(manifest):
            raise ValueError("manifest.json is not what was written")
        shape = (manifest["count"], *manifest["image_shape"])
        size = images.stat().st_size
        if size != prod(shape) or (size <= VERIFIED and crc32(images) != manifest["crc32"]):
            raise ValueError("images.u8 is not what was written")
        labels = None
        if manifest["labels"] is not None:
            if crc32(folder / "labels.npy") != manifest["labels"]:
                raise ValueError("labels.npy is not what was written")
            labels = torch.from_numpy(np.load(folder / "labels.npy"))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(
            f"data: the cache {folder} is damaged ({one_line(error)}); delete it, it is made anew"
        ) from error
    x = map_file(images).view(shape)
    bounds = np.cumsum([0, *manifest["sizes"].values()]).tolist()
    splits = {
        name: Batch(x[start:end], None if labels is None else labels[start:end])
        for name, start, end in zip(manifest["sizes"], bounds, bounds[1:], strict=False)
    }
    return OpenCache(splits, manifest["label_names"])


def map_file(path: Path) -> Tensor:
    """The bytes of a file as a tensor that is read from the disk as it is asked for, and must not be written to.

    A file of up to half of the memory is read in at once, in order. Of a larger one nothing is read ahead: shuffled
    images have no next one, and what is read in vain pushes out what was read before.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data.madvise(mmap.MADV_WILLNEED if 2 * len(data) <= available_memory() else mmap.MADV_RANDOM)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable")
        return torch.frombuffer(data, dtype=torch.uint8)


def available_memory() -> int:
    """The bytes of memory that this process may use: the machine's, or those of its container."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # another system, or "max"
            sizes.append(int((Path("/sys/fs/cgroup") / limit).read_text()))
    return min(sizes)


def serialize_manifest(manifest: dict[str, Any]) -> bytes:
    """A manifest's file, which ends with its own CRC-32: no byte of it can be another without being noticed."""
    checksum = zlib.crc32(json.dumps(manifest, sort_keys=True).encode())
    return json.dumps({**manifest, "manifest": checksum}, indent=1).encode()


def crc32(path: Path) -> int:
    """The CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(2**24):
            crc = zlib.crc32(block, crc)
    return crc


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
