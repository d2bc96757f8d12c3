"""Curves of a run, read from its TensorBoard files."""

from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = tuple(f"{split}/{metric}" for metric in ("nelbo", "distortion", "rate") for split in ("train", "val"))
Curve = dict[int, float]  # training images seen -> value


def curves(folder: Path, *tags: str) -> dict[str, Curve]:
    """Read some of a run's curves by tag, leaving out tags that were not logged.

    A run that was interrupted and resumed has logged some epochs twice. The values logged last are used.
    """
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1, "histograms": 1, "tensors": 1})
    events.Reload()
    logged = events.Tags()["scalars"]
    return {tag: {e.step: e.value for e in events_in_order(events, tag)} for tag in tags if tag in logged}


def events_in_order(events: EventAccumulator, tag: str) -> list[Any]:
    """Return the events of a tag in the order in which they were written."""
    return sorted(events.Scalars(tag), key=lambda event: event.wall_time)


def read_curves(folder: Path) -> dict[str, Curve]:
    """Read the curves that a report shows. Files that cannot be read have none."""
    try:
        return curves(folder, *TAGS)
    except Exception:  # the exceptions that a damaged file may cause cannot be listed
        return {}


def mean_curve(seed_curves: list[Curve]) -> Curve:
    """Return the mean over seeds at the points that all of them have."""
    if not seed_curves:
        return {}
    shared = set.intersection(*(set(curve) for curve in seed_curves))
    return {x: float(np.mean([curve[x] for curve in seed_curves])) for x in sorted(shared)}
