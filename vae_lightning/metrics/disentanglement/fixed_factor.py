"""Sampling of images that share one factor."""

import numpy as np

from vae_lightning.metrics.arrays import Ints


class FixedFactorSampler:
    """Draw groups of images that share the value of one factor.

    The papers generate such images. Here they are drawn from the dataset, so the other factors follow their
    distribution in the data given the shared value.

    Args:
        values: the value of the factor in each image, integers starting at 0, (N,).
    """

    def __init__(self, values: Ints) -> None:
        self.values = values
        self.by_value = np.argsort(values, kind="stable")
        self.counts = np.bincount(values)
        self.starts = np.cumsum(self.counts) - self.counts
        self.anchors = np.flatnonzero(self.counts[values] >= 2)  # a value that occurs once is shared with no image

    def draw(self, n: int, size: int, rng: np.random.Generator) -> Ints:
        """Draw n groups of images, (n, size) indices. Each group shares the value of a random image."""
        value = self.values[rng.choice(self.anchors, (n, 1))]
        return self.by_value[self.starts[value] + rng.integers(self.counts[value], size=(n, size))]

    def draw_pairs(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw n pairs of different images, (n, 2) indices. Each pair shares the value of a random image.

        An image paired with itself would differ in nothing, more often the fewer images share a value, which would tell
        the factors apart for any code.
        """
        value = self.values[rng.choice(self.anchors, n)]
        count = self.counts[value]
        first = rng.integers(count)
        second = (first + rng.integers(1, count)) % count
        return self.by_value[self.starts[value][:, None] + np.stack([first, second], axis=1)]
