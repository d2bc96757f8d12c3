"""A metric's mean and spread, over repeats on other images with other seeds."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from vae_lightning.metrics.arrays import Floats, as_array

Track = Callable[[range], Iterable[int]]  # a range to the same, with a progress bar around it


class Repeats(NamedTuple):
    """Over R repeats of a metric of F numbers.

    Attributes:
        mean: (F,).
        std: (F,), with R - 1 in the denominator; 0 for one repeat.
        n: the number of images of each repeat.
    """

    mean: Floats
    std: Floats
    n: int


def over_repeats(
    metric: Callable[[Any, Any, int], Any],
    codes: Any,
    factors: Any,
    *,
    samples: int,
    repeats: int,
    seed: int,
    track: Track = iter,
) -> Repeats:
    """Call `metric(codes, factors, seed)` on random images, again and again.

    Each repeat draws its images without replacement, at most half of those that are there: repeats on nearly the same
    images would hide how much the metric depends on them, and images drawn twice would be learned and tested alike.

    Args:
        metric: returns a number, or a tuple of numbers.
        codes: (N, D).
        factors: (N,) or (N, A).
        samples: the images of a repeat, where there are twice as many.
        repeats: R.
        seed: decides the images, and the seeds that the metric is given.
        track: puts a progress bar around the repeats.
    """
    z, y = as_array(codes), as_array(factors)
    n = max(1, min(samples, len(z) // 2))
    results = []
    for r in track(range(repeats)):
        some = np.random.default_rng((seed, r)).choice(len(z), n, replace=False)
        results.append(np.atleast_1d(np.asarray(metric(z[some], y[some], seed + r), dtype=np.float64)))
    return Repeats(np.mean(results, axis=0), np.std(results, axis=0, ddof=1 if repeats > 1 else 0), n)
