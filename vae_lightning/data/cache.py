"""Building a cache: image files are decoded once, into the files that `mapped_images` opens.

A cache is built under a temporary name and renamed when it is complete. It is built in chunks, so an interrupted build
is resumed.
"""

import errno
import hashlib
import json
import logging
import os
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from functools import partial
from math import prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vae_lightning.data.mapped_images import seal
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.escaping import visible
from vae_lightning.io.file_lock import file_lock
from vae_lightning.io.image_decoding import (
    DECODER_VERSION,
    Crop,
    DecodedChunk,
    DecodeJob,
    decode_chunk,
    exit_with_parent,
)
from vae_lightning.io.image_sources import Source
from vae_lightning.io.resources import available_cores

CHUNK = 256  # images, about a second of decoding: the most work that a core loses when the process is killed
SHOWN = 5  # names in a message
log = logging.getLogger(__name__)


class CacheContents(NamedTuple):
    """The contents of a cache in order: all of `train`, then `val`, then `test`.

    Attributes:
        names: names of the images in the source.
        sizes: number of images in each split.
        labels: int64 (N,) or (N, A), or None.
        label_names: names of the classes or of the A attributes.
    """

    names: list[str]
    sizes: dict[str, int]
    labels: np.ndarray | None
    label_names: list[str]


class CacheSpec(NamedTuple):
    """How the images of a source are turned into a cache.

    Attributes:
        name: name of the dataset.
        source: where the images are read from.
        fingerprint: changes whenever the source does.
        image_shape: (C, H, W).
        crop: see `image_decoding.decode`.
        split: description of how the images are split, such as its fractions and seed.
    """

    name: str
    source: Source
    fingerprint: str
    image_shape: tuple[int, int, int]
    crop: Crop
    split: str

    def describe(self) -> dict[str, Any]:
        """Return the entries of the manifest that describe the source and how it is decoded."""
        return {
            **self._asdict(),
            "source": str(self.source.path),
            "image_shape": list(self.image_shape),
            "decoder": DECODER_VERSION,
        }

    def folder(self, root: Path) -> Path:
        """Return the directory of the cache, whose name depends on everything but the path of the source."""
        identity = {key: value for key, value in self.describe().items() if key != "source"}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        return root / f"{self.name}-{'x'.join(map(str, self.image_shape))}-{key}"


def fingerprint(files: Mapping[str, Path | os.DirEntry[str]], *, times: bool = True) -> str:
    """Hash names, sizes and modification times of files, about 200,000 per second, without reading them.

    Args:
        files: by name.
        times: include the modification times, which a copy of the files may not have.
    """
    states = ((name, file.stat()) for name, file in files.items())
    lines = sorted(f"{name} {state.st_size}{f' {state.st_mtime_ns}' * times}" for name, state in states)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()  # names may be any bytes


def shown(names: Sequence[str]) -> str:
    """Return the first names for a message, with escape sequences for characters that cannot be printed."""
    names = [*names[:SHOWN], *["..."] * (len(names) > SHOWN)]
    return visible(", ".join(names))


def ensure_cache(spec: CacheSpec, contents: Callable[[], CacheContents], root: Path, skip_corrupt: bool) -> None:
    """Build the cache if it does not exist yet, or wait for another process that is building it.

    Args:
        spec: what to build.
        contents: called for the contents, if the cache must be built.
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
    """Let one process at a time write caches. The operating system releases the lock however the process ends.

    Raises:
        UserError: if the block raises an `OSError`, for example because the disk is full.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with file_lock(root / ".lock"):
            yield
    except OSError as error:
        fix = "Free some space, or set" if error.errno == errno.ENOSPC else "Set"
        raise UserError(
            f"data: the cache cannot be written to {root} ({one_line(error)}). {fix} data.cache to another directory."
        ) from error


def build(spec: CacheSpec, contents: CacheContents, folder: Path, skip_corrupt: bool) -> None:
    """Decode all images that have not been decoded yet, then give the cache its final name.

    Raises:
        UserError: if an image cannot be decoded and `skip_corrupt` is false, or if no image can be decoded.
    """
    unfinished = folder.with_name(folder.name + ".partial")
    unfinished.mkdir(exist_ok=True)
    images = unfinished / "images.u8"
    failed, several = decode_all(spec, contents.names, images)
    skipped = {contents.names[i]: reason for i, reason in failed.items()}
    firsts = [contents.names[i] for i in several]
    if failed:
        reasons = [f"{name} ({reason})" for name, reason in skipped.items()]
        message = (
            f"data: {len(failed):,} of {len(contents.names):,} images in {spec.source.path} cannot be decoded:"
            f" {shown(reasons)}"
        )
        if not skip_corrupt or len(failed) == len(contents.names):
            raise UserError(f"{message}. Replace the files, or set data.skip_corrupt=true to skip such images.")
        log.warning("%s; skipping these images, which are listed in %s", message, folder / "manifest.json")
        contents = drop_images(contents, failed, images, prod(spec.image_shape))
    if firsts:
        log.warning(
            "data: %s of %s files contain several images, such as %s; using the first of each",
            *(f"{len(firsts):,}", f"{len(contents.names):,}", spec.source.path / visible(firsts[0])),
        )
    if contents.labels is not None:
        np.save(unfinished / "labels.npy", contents.labels)
    (unfinished / "chunks.jsonl").unlink()
    manifest = {
        **spec.describe(),
        "count": len(contents.names),
        "sizes": contents.sizes,
        "label_names": contents.label_names,
        "left_out": skipped,
        "first_of_several": firsts,
    }
    seal(unfinished, folder, manifest)


def decode_all(spec: CacheSpec, names: list[str], images: Path) -> tuple[dict[int, str], list[int]]:
    """Decode the chunks that no earlier run has completed.

    Returns:
        The reason for each image that failed, by its index; the indices of images that are the first of several in
        their file.
    """
    size = prod(spec.image_shape)
    record = images.with_name("chunks.jsonl")  # one line per completed chunk
    with images.open("a+b") as file:
        reserve(file.fileno(), size * len(names))
    done = completed_chunks(record, images, size, len(names))
    jobs = [
        DecodeJob(k, names[i : i + CHUNK], spec.source, spec.image_shape, spec.crop, images, i * size)
        for k, i in enumerate(range(0, len(names), CHUNK))
        if k not in done
    ]
    with image_progress(f"decoding {spec.name} (once)", len(names)) as advance, record.open("a") as record_file:
        advance(len(names) - sum(len(job.names) for job in jobs))
        for chunk in decode_in_parallel(jobs):
            done[chunk.number] = chunk
            record_file.write(json.dumps(chunk._asdict()) + "\n")
            record_file.flush()
            os.fsync(record_file.fileno())
            advance(CHUNK)
    chunks = [done[k] for k in sorted(done)]
    failed = {chunk.number * CHUNK + int(i): reason for chunk in chunks for i, reason in chunk.failed.items()}
    return failed, [chunk.number * CHUNK + i for chunk in chunks for i in chunk.several]


@contextmanager
def image_progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar of images; give the function that advances it by a number of images."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, transient=True) as progress:
        yield partial(progress.advance, progress.add_task(description, total=total))


def decode_in_parallel(jobs: list[DecodeJob]) -> Iterator[DecodedChunk]:
    """Decode chunks in one process per core, or in this process if there are fewer than four chunks or one core."""
    workers = min(available_cores(), len(jobs) // 2)
    if workers < 2:
        yield from map(decode_chunk, jobs)
        return
    # spawned, since forking a process with torch's threads may hang
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=exit_with_parent)
    try:
        for future in as_completed([pool.submit(decode_chunk, job) for job in jobs]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def reserve(descriptor: int, size: int) -> None:
    """Allocate the disk space of a file, so a full disk is reported before any image is decoded."""
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
                chunk = DecodedChunk(**json.loads(line))
                file.seek(chunk.number * CHUNK * size)
                if zlib.crc32(file.read(min(CHUNK, n - chunk.number * CHUNK) * size)) == chunk.crc:
                    done[chunk.number] = chunk
    return done


def drop_images(contents: CacheContents, failed: Collection[int], images: Path, size: int) -> CacheContents:
    """Remove failed images from the contents and from the file, in which later images move up.

    A class that has no image left is removed as well.
    """
    kept = [i for i in range(len(contents.names)) if i not in failed]
    with images.open("r+b") as file:
        for new, old in enumerate(kept):
            if new != old:
                file.seek(old * size)
                data = file.read(size)
                file.seek(new * size)
                file.write(data)
        file.truncate(len(kept) * size)
    ends = np.cumsum(list(contents.sizes.values()))
    sizes = np.diff(np.searchsorted(kept, ends), prepend=0)
    labels, label_names = contents.labels, contents.label_names
    if labels is not None:
        labels = labels[kept]
        if labels.ndim == 1:
            classes, labels = np.unique(labels, return_inverse=True)
            label_names = [label_names[k] for k in classes]
    return CacheContents(
        [contents.names[i] for i in kept], dict(zip(contents.sizes, sizes.tolist(), strict=True)), labels, label_names
    )
