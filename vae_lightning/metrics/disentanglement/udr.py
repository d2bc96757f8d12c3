"""The unsupervised disentanglement ranking."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import Floats, as_array, as_codes


def udr(codes: Sequence[Any], kl: Sequence[Any] | None = None, *, threshold: float = 0.01) -> Floats:
    """How far models that differ in their seed alone found the same latents, (M,), in [0, 1]. Duan et al. 2020.

    A model's score is the median over the others of its score with each. No labels are needed: the claim is that
    disentangled codes are alike up to order and sign, entangled ones in ways of their own.

    Args:
        codes: M ≥ 2 codes of the same images, (N, D_m) each.
        kl: the mean KL of each latent to the prior, (D_m,) for each model; those at most the threshold tell nothing
            and are left out. None takes all that are not constant.
        threshold: in nats; 0.01 as in the paper.

    Raises:
        UserError: when there are fewer than two codes, or of different numbers of images.
    """
    all_codes = [as_codes(z) for z in codes]
    if len(all_codes) < 2:
        raise UserError("UDR compares models of different seeds: give the codes of at least two")
    if len({len(z) for z in all_codes}) > 1:
        raise UserError(f"UDR needs codes of the same images, not of {[len(z) for z in all_codes]}")
    told = [np.ptp(z, axis=0) > 0 for z in all_codes]
    if kl is not None:
        told = [varies & (as_array(k) > threshold) for varies, k in zip(told, kl, strict=True)]
    ranked = [ranks(z[:, keep]) for z, keep in zip(all_codes, told, strict=True)]
    pairwise = [[likeness(correlations(a, b)) for j, b in enumerate(ranked) if j != i] for i, a in enumerate(ranked)]
    return np.median(pairwise, axis=1)


def ranks(codes: Floats) -> Floats:
    """The rank of each code among those of its latent, (N, D), ties sharing their mean; centred, of length 1."""
    result = np.empty_like(codes)
    for d, latent in enumerate(codes.T):
        _, place, counts = np.unique(latent, return_inverse=True, return_counts=True)
        result[:, d] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    result -= result.mean(0)
    return result / np.linalg.norm(result, axis=0)


def correlations(a: Floats, b: Floats) -> Floats:
    """|Spearman's correlation| of each latent of one model with each of another, (D_a, D_b), from their `ranks`."""
    return np.abs(a.T @ b)


def likeness(similarity: Floats) -> float:
    """How near to one-to-one a matrix (D_a, D_b) is: Duan et al. 2020, Eq. 2.

    The mean of max² / sum over all its rows and columns: 1 when each has a single 1, 0 when there is none.
    """
    if not similarity.size:
        return 0.0
    lines = [*similarity, *similarity.T]
    return float(np.mean([line.max() ** 2 / max(line.sum(), 1e-12) for line in lines]))
