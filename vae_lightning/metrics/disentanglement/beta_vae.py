"""The metric of the β-VAE paper."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_lightning.metrics.arrays import Floats, Ints, paired
from vae_lightning.metrics.disentanglement.sharing import Sharing


def beta_vae_metric(
    codes: Any, factors: Any, *, pairs: int = 64, train: int = 10_000, test: int = 5_000, seed: int = 0
) -> float:
    """How often a linear classifier names the factor that pairs of images share, in [0, 1]. Higgins et al. 2017.

    A point is the mean of |z_1 - z_2| over pairs of images that share one factor; which one is to be told (section 3).
    Chance is 1/A. A rotated code can be perfect too: the means of several latents together may tell the factor.

    Args:
        codes: (N, D).
        factors: (N, A), A ≥ 2 of which vary.
        pairs: L, the pairs of a point.
        train: the points to learn from.
        test: the points to be judged by.
        seed: of the draws.

    Raises:
        UserError: when codes and factors do not fit together, or fewer than two factors vary.
    """
    z, y = paired(codes, factors, at_least=2, times=2)
    rng = np.random.default_rng(seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(*differences(z, y, pairs, train, rng))
    return float(classifier.score(*differences(z, y, pairs, test, rng)))


def differences(codes: Floats, factors: Ints, pairs: int, n: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Draw n points (n, D) and the factor that is shared in each, (n,)."""
    shared = rng.integers(factors.shape[1], size=n)
    points = np.zeros((n, codes.shape[1]))
    for k in range(factors.shape[1]):
        rows, sharing = shared == k, Sharing(factors[:, k])
        for _ in range(pairs):  # one pair of each point at a time: memory does not grow with the pairs
            first, second = sharing.draw(int(rows.sum()), 2, rng).T
            points[rows] += np.abs(codes[first] - codes[second]) / pairs
    return points, shared
