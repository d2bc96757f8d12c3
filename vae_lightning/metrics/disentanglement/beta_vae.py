"""The disentanglement metric of the β-VAE paper."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors
from vae_lightning.metrics.disentanglement.fixed_factor import FixedFactorSampler


def beta_vae_metric(
    codes: Any,
    factors: Any,
    *,
    pairs: int = 64,
    train: int = 10_000,
    test: int = 5_000,
    standardize: bool = True,
    seed: int = 0,
) -> float:
    """Return the accuracy of a linear classifier that predicts which factor pairs of images share, in [0, 1].

    Higgins et al. 2017, section 3. Each point is the mean of |z_1 - z_2| over pairs of images that share one factor,
    and its label is that factor. Chance is 1/A. A rotated code can be perfect too, since the classifier may combine
    several latents to identify the factor.

    The features of the classifier, the mean differences, are scaled to mean 0 and variance 1. Without that, its penalty
    on large weights hides latents of a small scale, and the score depends on the scale of the code. Locatello et al.
    2019 do not scale them.

    >>> grid = np.array([[a, b] for a in range(3) for b in range(4)] * 5)
    >>> beta_vae_metric(grid, grid, train=200, test=100)
    1.0

    Args:
        codes: (N, D).
        factors: (N, A), of which at least two vary.
        pairs: L, the number of pairs per point.
        train: the number of training points.
        test: the number of test points.
        standardize: scale the features.
        seed: of the draws.

    Raises:
        UserError: if codes and factors do not match, or fewer than two factors vary.
    """
    z, y = as_codes_and_factors(codes, factors, min_factors=2, min_count=2)
    rng = np.random.default_rng(seed)
    classifier = make_pipeline(StandardScaler() if standardize else None, LogisticRegression(max_iter=1000))
    classifier.fit(*sample_points(z, y, pairs, train, rng))
    return float(classifier.score(*sample_points(z, y, pairs, test, rng)))


def sample_points(codes: Floats, factors: Ints, pairs: int, n: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Draw n points (n, D) and return them with the factor that is shared in each, (n,)."""
    shared = rng.integers(factors.shape[1], size=n)
    points = np.zeros((n, codes.shape[1]))
    for k in range(factors.shape[1]):
        rows, sampler = shared == k, FixedFactorSampler(factors[:, k])
        for _ in range(pairs):  # one pair per point at a time, so that memory does not grow with the number of pairs
            first, second = sampler.draw_pairs(int(rows.sum()), rng).T
            points[rows] += np.abs(codes[first] - codes[second]) / pairs
    return points, shared
