"""Mean and spread of a metric over repeats with different images and seeds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vae_lightning.metrics.arrays import Floats, as_array
from vae_lightning.metrics.passes import Track


class Repeats(NamedTuple):
    """Statistics over R repeats of a metric that returns F numbers.

    Attributes:
        mean: (F,).
        std: (F,), with R - 1 in the denominator; 0 for a single repeat.
        n: the number of images per repeat.
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
    """Call `metric(codes, factors, seed)` several times, each time on other random images.

    Each repeat draws its images without replacement, and at most half of all images. Repeats on nearly the same images
    would hide how much the metric depends on them, and an image that is drawn twice could be in both the training and
    the test set.

    Args:
        metric: returns a number, or a tuple of numbers.
        codes: (N, D).
        factors: (N,) or (N, A).
        samples: the number of images per repeat, limited to N / 2.
        repeats: R.
        seed: determines the images, and the seeds passed to the metric.
        track: wraps the repeats in a progress bar.
    """
    z, y = as_array(codes), as_array(factors)
    n = max(1, min(samples, len(z) // 2))
    results = []
    for r in track(range(repeats)):
        index = np.random.default_rng((seed, r)).choice(len(z), n, replace=False)
        results.append(np.atleast_1d(np.asarray(metric(z[index], y[index], seed + r), dtype=np.float64)))
    return Repeats(np.mean(results, axis=0), np.std(results, axis=0, ddof=1 if repeats > 1 else 0), n)
