"""The mutual information gap."""

from typing import Any

import numpy as np

from vae_lightning.metrics.arrays import Floats, paired
from vae_lightning.metrics.disentanglement.mutual_information import entropy, information_matrix

BINS = 20  # as in Locatello et al. 2019


def mig(codes: Any, factors: Any, *, bins: int = BINS) -> float:
    """The mean over factors of (I(z_1st; v) - I(z_2nd; v)) / H(v), in [0, 1]. Chen et al. 2018, Eq. 6.

    z_1st and z_2nd are the two latents that tell most of v. Information is that of counts, each latent in bins of equal
    width, as in Locatello et al. 2019; the paper's own integrates over q(z|x), which a representation need not have.

    1 says that each factor is in one latent alone, not that a latent holds one factor alone: two factors merged in one
    latent reach 1 too, if its bins are fine enough to tell their values apart. A factor of more values than bins stays
    below 1 even in a perfect code.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A), whole numbers; those that do not vary are left out.
        bins: of each latent.

    Raises:
        UserError: when codes and factors do not fit together, or no factor varies.
    """
    return float(mig_per_factor(codes, factors, bins=bins).mean())


def mig_per_factor(codes: Any, factors: Any, *, bins: int = BINS) -> Floats:
    """The gap of each factor that varies, (A,); see `mig`. A single latent has no second: its gap is to 0."""
    z, y = paired(codes, factors)
    information = np.sort(information_matrix(z, y, bins), axis=0)[::-1]  # (D, A), the most informative latent first
    second = information[1] if len(information) > 1 else 0.0
    return (information[0] - second) / np.array([entropy(column) for column in y.T])
