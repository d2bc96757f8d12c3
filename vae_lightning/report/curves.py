"""Curves of a run, read from the files of its loggers."""

import csv
import os
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from vae_lightning.runs.untrusted import check_regular_file

TAGS = tuple(f"{split}/{metric}" for metric in ("nelbo", "distortion", "rate") for split in ("train", "val"))
MAX_RECORD = 1000  # bytes; the record of a number has about 50

Curve = dict[int, float]  # training images seen -> value


def read_curves(folder: Path, tags: Collection[str] = TAGS) -> dict[str, Curve]:
    """Read a run's curves by tag, leaving out tags that were not logged, and files that cannot be read.

    A run that was interrupted and resumed has logged some epochs twice. The values logged last are used.
    """
    logged = []
    for pattern, read in READERS.items():
        for path in folder.glob(pattern):
            with suppress(OSError, ValueError, KeyError, TypeError, OverflowError, DecodeError, csv.Error):
                check_regular_file(path, folder)
                logged += list(read(path, tags))
    found: dict[str, Curve] = {}
    for _, tag, step, value in sorted(logged):
        found.setdefault(tag, {})[step] = value
    return {tag: dict(sorted(found[tag].items())) for tag in tags if tag in found}


def read_csv(path: Path, tags: Collection[str]) -> Iterator[tuple[float, str, int, float]]:
    """Yield the row, tag, step and value of each number in the `metrics.csv` of `logger=csv`."""
    with path.open(newline="") as lines:
        for n, row in enumerate(csv.DictReader(lines)):
            for tag in tags:
                if row.get(tag):
                    yield n, tag, int(row["step"]), float(row[tag])


def read_events(path: Path, tags: Collection[str]) -> Iterator[tuple[float, str, int, float]]:
    """Yield the time, tag, step and value of each number in a TensorBoard file.

    TensorBoard's own reader verifies checksums in Python, also of images, which takes a hundred times as long.
    """
    for record in small_records(path):
        event = Event.FromString(record)
        for value in event.summary.value:
            if value.tag in tags and value.HasField("simple_value"):
                yield event.wall_time, value.tag, event.step, value.simple_value


READERS = {"metrics.csv": read_csv, "events.out.tfevents.*": read_events}  # a pattern of names -> numbers


def small_records(path: Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file up to its end or the first incomplete one, without those of images.

    A record is its length in 8 bytes, a checksum of these in 4, the content, and a checksum of the content in 4.
    """
    with path.open("rb") as file:
        while len(header := file.read(12)) == 12:
            (length,) = struct.unpack("<Qxxxx", header)
            if length > MAX_RECORD:
                file.seek(length + 4, os.SEEK_CUR)
            elif len(record := file.read(length + 4)) == length + 4:
                yield record[:length]


def mean_curve(seed_curves: list[Curve]) -> Curve:
    """Return the mean over seeds at the points that all of them have."""
    if not seed_curves:
        return {}
    shared = set.intersection(*(set(curve) for curve in seed_curves))
    return {x: float(np.mean([curve[x] for curve in seed_curves])) for x in sorted(shared)}
