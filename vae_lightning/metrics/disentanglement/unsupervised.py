"""Dependence between latents, measured without factors."""

from typing import Any

import numpy as np

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import Floats, as_codes
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.metrics.disentanglement.mutual_information import discretize, information_matrix


def as_several_codes(codes: Any) -> Floats:
    """Return codes as an array (N, D).

    Raises:
        UserError: if they are not finite, not of shape (N, D), or fewer than the two that a covariance requires.
    """
    z = as_codes(codes)
    if len(z) < 2:
        raise UserError("codes: a covariance requires at least two. Use more images.")
    return z


def gaussian_total_correlation(codes: Any) -> float:
    """Return the total correlation of a Gaussian with the covariance of the codes, in nats; 0 if uncorrelated.

    Locatello et al. 2019, section 5.1: KL(N(0, Σ) ‖ N(0, diag Σ)) = -½ log det R with the correlation matrix R, which
    does not depend on the scale of a latent. It is infinite if latents determine each other linearly.

    >>> round(gaussian_total_correlation([[-1, -1], [-1, 0], [1, 0], [1, 1]]), 4)  # -½ log(1 - ½)
    0.3466

    Args:
        codes: (N, D). Constant latents are ignored.

    Raises:
        UserError: if the codes are not finite, not of shape (N, D), or fewer than two.
    """
    z = as_several_codes(codes)
    z = z[:, np.ptp(z, axis=0) > 0]
    if z.shape[1] < 2:
        return 0.0
    return float(max(0.0, -0.5 * np.linalg.slogdet(np.corrcoef(z, rowvar=False))[1]))


def gaussian_wasserstein_correlation(codes: Any, *, normalized: bool = False) -> float:
    """Return the squared 2-Wasserstein distance of N(0, Σ) from N(0, diag Σ), with the covariance Σ of the codes.

    Locatello et al. 2019, section 5.1: 2 tr Σ - 2 tr √(V Σ V) with V = diag(Σ)^½; 0 if uncorrelated. It grows with the
    square of the scale of the codes.

    >>> gaussian_wasserstein_correlation([[-1, 0], [0, -1], [0, 1], [1, 0]])
    0.0

    Args:
        codes: (N, D).
        normalized: divide by tr Σ, which makes it independent of the scale.

    Raises:
        UserError: if the codes are not finite, not of shape (N, D), or fewer than two.
    """
    covariance = np.atleast_2d(np.cov(as_several_codes(codes), rowvar=False))
    trace = covariance.trace()
    if trace == 0:
        return 0.0
    std = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(std[:, None] * covariance * std)
    distance = max(0.0, float(2 * trace - 2 * np.sqrt(eigenvalues.clip(min=0)).sum()))
    return distance / float(trace) if normalized else distance


def mutual_information_score(codes: Any, *, bins: int = BINS) -> float:
    """Return the mutual information of two different latents, averaged over all pairs, in nats.

    Locatello et al. 2019, section 5.1, with bins of equal width. A constant latent has no information about any other,
    so unused latents lower the score.

    >>> round(mutual_information_score([[0, 0], [1, 1]]), 4)  # log 2
    0.6931

    Args:
        codes: (N, D). The score of a single latent is 0.
        bins: the number of bins per latent.

    Raises:
        UserError: if the codes are not finite, or not of shape (N, D).
    """
    z = as_codes(codes)
    if z.shape[1] < 2:
        return 0.0
    return float(information_matrix(z, discretize(z, bins), bins)[~np.eye(z.shape[1], dtype=bool)].mean())
