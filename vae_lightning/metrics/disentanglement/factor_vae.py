"""The disentanglement metric of the FactorVAE paper."""

from typing import Any

import numpy as np

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors
from vae_lightning.metrics.disentanglement.fixed_factor import FixedFactorSampler

GROUPS_PER_BATCH = 256  # bounds the memory for the codes of the groups


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
    """Return the accuracy of predicting the fixed factor from the latent that varies least, in [0, 1].

    Kim & Mnih 2018, section 4. In a group of images that share one factor, the variance of each latent is divided by
    its variance over all images, and the latent with the smallest ratio votes for the factor. The majority of the
    training votes of a latent determines its factor; the score is the fraction of test votes that agree. Chance is
    about 1/A.

    Args:
        codes: (N, D).
        factors: (N, A), of which at least two vary.
        threshold: latents whose standard deviation over all images is smaller are ignored, because a constant latent
            always has the smallest variance. The default is for posteriors regularized towards N(0, I), as in Locatello
            et al. 2019; use another value for codes of another scale.
        group: L, the number of images per vote.
        train: the number of training votes.
        test: the number of test votes.
        seed: of the draws.

    Returns:
        The accuracy, or 0 if every latent is ignored.

    Raises:
        UserError: if codes and factors do not match, or fewer than two factors vary.
    """
    z, y = as_codes_and_factors(codes, factors, min_factors=2, min_count=2)
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
    """Draw n groups; return the latent that varies least in each, and the factor that is fixed, both (n,)."""
    fixed = rng.integers(factors.shape[1], size=n)
    latents = np.zeros(n, dtype=np.int64)
    for k in range(factors.shape[1]):
        rows, sampler = np.flatnonzero(fixed == k), FixedFactorSampler(factors[:, k])
        for batch in np.split(rows, range(GROUPS_PER_BATCH, len(rows), GROUPS_PER_BATCH)):
            latents[batch] = codes[sampler.draw(len(batch), group, rng)].var(1).argmin(1)
    return latents, fixed
