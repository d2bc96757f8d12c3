"""The metric of the FactorVAE paper."""

from typing import Any

import numpy as np

from vae_lightning.metrics.arrays import Floats, Ints, paired
from vae_lightning.metrics.disentanglement.sharing import Sharing

AT_ONCE = 256  # groups whose codes are held at a time


def factor_vae_metric(
    codes: Any,
    factors: Any,
    *,
    threshold: float = 0.05,
    group: int = 64,
    train: int = 10_000,
    test: int = 5_000,
    seed: int = 0,
) -> float:
    """How often the latent that varies least names the factor that is fixed, in [0, 1]. Kim & Mnih 2018, section 4.

    In a group of images that share one factor, each latent's variance is divided by that over all images; the latent
    with the least votes for the factor. The majority of the training votes of a latent is its factor; the score is
    the share of the test votes that agree. Chance is about 1/A.

    Args:
        codes: (N, D).
        factors: (N, A), A ≥ 2 of which vary.
        threshold: latents whose standard deviation over all images is below it are left out: a constant one has the
            least variance always. 0.05 is for posteriors that are held against N(0, I), as in Locatello et al. 2019;
            give another where codes have another scale.
        group: L, the images of a vote.
        train: the votes to learn from.
        test: the votes to be judged by.
        seed: of the draws.

    Returns:
        The share; 0 when no latent is left.

    Raises:
        UserError: when codes and factors do not fit together, or fewer than two factors vary.
    """
    z, y = paired(codes, factors, at_least=2, times=2)
    std = z.std(0)
    active = std >= threshold
    if not active.any():
        return 0.0
    z = z[:, active] / std[active]
    rng = np.random.default_rng(seed)
    votes = np.zeros((z.shape[1], y.shape[1]))
    np.add.at(votes, cast_votes(z, y, group, train, rng), 1)
    latents, fixed = cast_votes(z, y, group, test, rng)
    return float(np.mean(votes.argmax(1)[latents] == fixed))


def cast_votes(codes: Floats, factors: Ints, group: int, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw n groups; return the latent that varies least in each, and the factor that is fixed, (n,) both."""
    fixed = rng.integers(factors.shape[1], size=n)
    latents = np.zeros(n, dtype=np.int64)
    for k in range(factors.shape[1]):
        rows, sharing = np.flatnonzero(fixed == k), Sharing(factors[:, k])
        for some in np.split(rows, range(AT_ONCE, len(rows), AT_ONCE)):
            latents[some] = codes[sharing.draw(len(some), group, rng)].var(1).argmin(1)
    return latents, fixed
