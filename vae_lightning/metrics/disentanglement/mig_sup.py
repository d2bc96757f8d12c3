"""The supplement of the mutual information gap (MIG-sup)."""

from typing import Any

from vae_lightning.distributions.posterior import ACTIVE_UNIT_VARIANCE
from vae_lightning.metrics.arrays import as_codes_and_factors
from vae_lightning.metrics.disentanglement.gap import top_two_gap
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.metrics.disentanglement.mutual_information import entropies, information_matrix


def mig_sup(codes: Any, factors: Any, *, bins: int = BINS, threshold: float = ACTIVE_UNIT_VARIANCE) -> float:
    """Return the gap between the two factors that share most with each latent, averaged over latents, in [0, 1].

    Li et al. 2020, section 4: I(z_d; v_k) / H(v_k) of the first factor minus that of the second. MIG asks whether each
    factor is in a single latent, MIG-sup whether each latent holds a single factor: two factors merged in one latent
    have a MIG of 1 and a MIG-sup near 0. The paper integrates over q(z|x); here information is estimated from bins, as
    in `mig`.

    >>> grid = [[a, b] for a in range(4) for b in range(4)]
    >>> mig_sup(grid, grid)
    1.0
    >>> mig_sup([[4 * a + b] for a, b in grid], grid)  # both factors in one latent
    0.0

    Args:
        codes: (N, D).
        factors: (N, A), of which at least two vary.
        bins: the number of bins of equal width per latent.
        threshold: latents with at most this variance over all images are ignored, as in the authors' code.

    Returns:
        The mean, or 0 if every latent is ignored.

    Raises:
        UserError: if codes and factors do not match, or fewer than two factors vary.
    """
    z, y = as_codes_and_factors(codes, factors, min_factors=2)
    z = z[:, z.var(0) > threshold]
    if not z.size:
        return 0.0
    normalized = information_matrix(z, y, bins) / entropies(y)  # (D, A)
    return float(top_two_gap(normalized.T).mean())
