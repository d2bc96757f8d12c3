"""The curves of a run, out of its TensorBoard files."""

from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

Curve = dict[int, float]  # training images seen -> value


def curves(folder: Path, *tags: str) -> dict[str, Curve]:
    """Some of a run's curves, by tag; none for a tag that it has not, or where nothing was logged.

    A run that was cut off has written some epochs twice: what was written last counts.
    """
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1, "histograms": 1, "tensors": 1})
    events.Reload()
    there = events.Tags()["scalars"]
    return {tag: {e.step: e.value for e in ordered(events, tag)} for tag in tags if tag in there}


def ordered(events: EventAccumulator, tag: str) -> list[Any]:
    """The events of a tag in the order in which they were written."""
    return sorted(events.Scalars(tag), key=lambda event: event.wall_time)


def mean_curve(of_seeds: list[Curve]) -> Curve:
    """The mean over seeds wherever all of them have a point."""
    if not of_seeds:
        return {}
    shared = set.intersection(*(set(curve) for curve in of_seeds))
    return {x: float(np.mean([curve[x] for curve in of_seeds])) for x in sorted(shared)}
