"""The mutual information gap (MIG)."""

from typing import Any

from vae_lightning.metrics.arrays import Floats, as_codes_and_factors
from vae_lightning.metrics.disentanglement.gap import top_two_gap
from vae_lightning.metrics.disentanglement.mutual_information import entropies, information_matrix

BINS = 20  # as in Locatello et al. 2019


def mig(codes: Any, factors: Any, *, bins: int = BINS) -> float:
    """Return the mean over factors of (I(z_1st; v) - I(z_2nd; v)) / H(v), in [0, 1]. Chen et al. 2018, Eq. 6.

    z_1st and z_2nd are the two latents with the most information about v. Information is estimated from counts, with
    the latents in bins of equal width, as in Locatello et al. 2019. The paper integrates over q(z|x) instead, which not
    every representation has; see `probabilistic_mig`.

    A MIG of 1 means that each factor is in a single latent. It does not mean that each latent holds a single factor:
    two factors merged in one latent also reach 1 if the bins are fine enough to distinguish their values. A factor with
    more values than bins stays below 1 even for a perfect code.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A), integers. Factors that do not vary are ignored.
        bins: the number of bins per latent.

    Raises:
        UserError: if codes and factors do not match, or no factor varies.
    """
    return float(mig_per_factor(codes, factors, bins=bins).mean())


def mig_per_factor(codes: Any, factors: Any, *, bins: int = BINS) -> Floats:
    """Return the gap of each factor that varies, (A,); see `mig`. With a single latent, I(z_2nd; v) is 0."""
    z, y = as_codes_and_factors(codes, factors)
    return top_two_gap(information_matrix(z, y, bins)) / entropies(y)
