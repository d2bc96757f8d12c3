"""The interventional robustness score (IRS)."""

from typing import Any

import numpy as np

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors


def irs(codes: Any, factors: Any, *, quantile: float = 0.99) -> float:
    """Return how little each latent changes while one factor is held and the others vary, at most 1.

    Suter et al. 2019. For each value of a factor, this is the largest distance of a latent from its mean among the
    images with that value. Its average over values, divided by the largest distance among all images, is 0 for a latent
    that depends on this factor alone. The score of a latent is 1 minus the smallest ratio of all factors. The mean over
    latents is weighted by their largest distance, so unused latents hardly count. As in disentanglement_lib, a quantile
    replaces the largest distance given a value, against outliers.

    A value that few images have is underestimated: with a single image its distance is 0. Use many images.

    >>> grid = np.array([[a, b] for a in range(2) for b in range(2)])
    >>> irs(grid, grid), irs(grid.sum(1, keepdims=True), grid)
    (1.0, 0.5)

    Args:
        codes: (N, D).
        factors: (N,) or (N, A). Factors that do not vary are ignored.
        quantile: of the distances given a value; 1 for the maximum, as in the paper.

    Returns:
        The mean, or 0 if no latent varies.

    Raises:
        UserError: if codes and factors do not match, or no factor varies.
    """
    z, y = as_codes_and_factors(codes, factors)
    z = z[:, np.ptp(z, axis=0) > 0]
    if not z.size:
        return 0.0
    largest = np.abs(z - z.mean(0)).max(0)
    ratios = np.stack([mean_deviation(z, values, quantile) for values in y.T], axis=1) / largest[:, None]  # (D, A)
    return float(np.average(1 - ratios.min(1), weights=largest))


def mean_deviation(codes: Floats, values: Ints, quantile: float) -> Floats:
    """Return a quantile of the distances from the mean given a value, averaged over the values of one factor, (D,)."""
    groups = [codes[values == value] for value in range(values.max() + 1)]
    return np.mean([np.quantile(np.abs(group - group.mean(0)), quantile, axis=0) for group in groups], axis=0)
