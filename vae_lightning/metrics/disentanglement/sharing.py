"""Images that share one factor, found among those that there are."""

import numpy as np

from vae_lightning.metrics.arrays import Ints


class Sharing:
    """Draws images that share the value of one factor.

    Papers generate such images; here they are drawn from the set, where the other factors are as they occur beside it.

    Args:
        values: of the factor in each image, (N,), numbers from 0.
    """

    def __init__(self, values: Ints) -> None:
        self.values = values
        self.by_value = np.argsort(values, kind="stable")
        self.counts = np.bincount(values)
        self.starts = np.cumsum(self.counts) - self.counts
        self.anchors = np.flatnonzero(self.counts[values] >= 2)  # alone, an image shares its value with none

    def draw(self, n: int, size: int, rng: np.random.Generator) -> Ints:
        """Draw n groups of images, (n, size) indices; a group shares the value of one random image."""
        value = self.values[rng.choice(self.anchors, (n, 1))]
        return self.by_value[self.starts[value] + rng.integers(self.counts[value], size=(n, size))]
