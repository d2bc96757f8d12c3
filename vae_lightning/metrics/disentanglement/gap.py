"""The gap between the best two scores, on which several metrics are built."""

import numpy as np

from vae_lightning.metrics.arrays import Floats


def top_two_gap(scores: Floats) -> Floats:
    """Return the largest minus the second largest score of each column of (R, C), (C,).

    The second largest of a single row is 0.

    >>> top_two_gap(np.array([[0.9, 0.1], [0.2, 0.7]])).round(3).tolist()
    [0.7, 0.6]
    """
    highest = np.sort(scores, axis=0)[::-1]
    return highest[0] - (highest[1] if len(highest) > 1 else 0.0)
