"""Unsupervised disentanglement ranking (UDR)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import Floats, as_array, as_codes


def udr(codes: Sequence[Any], kl: Sequence[Any] | None = None, *, threshold: float = 0.01) -> Floats:
    """Return how similar the latents of models are that differ only in their seed, (M,), in [0, 1]. Duan et al. 2020.

    The score of a model is the median of its similarities with the other models. No labels are needed. The assumption
    is that disentangled codes are alike up to permutation and sign, while entangled codes differ from each other.

    Args:
        codes: M ≥ 2 codes of the same images, (N, D_m) each.
        kl: the mean KL of each latent to the prior, (D_m,) per model. Latents with at most the threshold are
            uninformative and ignored. If None, only constant latents are ignored.
        threshold: in nats; 0.01 as in the paper.

    Raises:
        UserError: if there are fewer than two codes, their numbers of images differ, or `kl` does not match them.
    """
    all_codes = [as_codes(z) for z in codes]
    if len(all_codes) < 2:
        raise UserError("UDR: compares models with different seeds. Pass the codes of at least two models.")
    if len({len(z) for z in all_codes}) > 1:
        raise UserError(f"UDR: the codes must be of the same images, got {[len(z) for z in all_codes]} rows.")
    informative = [np.ptp(z, axis=0) > 0 for z in all_codes]
    if kl is not None:
        rates = [as_array(rate) for rate in kl]
        expected, given = ([x.shape for x in arrays] for arrays in (informative, rates))
        if expected != given:
            raise UserError(f"UDR: kl must have one value per latent of each model, of shapes {expected}, got {given}.")
        informative = [varies & (rate > threshold) for varies, rate in zip(informative, rates, strict=True)]
    ranks = [normalized_ranks(z[:, keep]) for z, keep in zip(all_codes, informative, strict=True)]
    similarities = [
        [one_to_one_score(rank_correlations(a, b)) for j, b in enumerate(ranks) if j != i] for i, a in enumerate(ranks)
    ]
    return np.median(similarities, axis=1)


def normalized_ranks(codes: Floats) -> Floats:
    """Return the rank of each code in its latent, (N, D), with ties averaged, centered and scaled to norm 1."""
    ranks = rankdata(codes, axis=0)
    ranks -= ranks.mean(0)
    return ranks / np.linalg.norm(ranks, axis=0)


def rank_correlations(a: Floats, b: Floats) -> Floats:
    """Return |Spearman's correlation| between the latents of two models, (D_a, D_b), from their normalized ranks."""
    return np.abs(a.T @ b)


def one_to_one_score(similarity: Floats) -> float:
    """Return how close a matrix (D_a, D_b) is to a one-to-one assignment. Duan et al. 2020, Eq. 2.

    This is the mean of max² / sum over all rows and columns: 1 if each has a single 1, and 0 if the matrix is empty.
    """
    if not similarity.size:
        return 0.0
    lines = [*similarity, *similarity.T]
    return float(np.mean([line.max() ** 2 / max(line.sum(), 1e-12) for line in lines]))
