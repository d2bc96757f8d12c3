"""The mutual information gap of Gaussian posteriors, from densities instead of bins."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import Floats, Ints, as_codes, as_codes_and_factors
from vae_lightning.metrics.disentanglement.gap import top_two_gap
from vae_lightning.metrics.disentanglement.mutual_information import entropies
from vae_lightning.metrics.information import log_aggregate

CHUNK = 128  # draws per pass, which fits the CPU's cache


def probabilistic_mig(mean: Any, logvar: Any, factors: Any, *, seed: int = 0) -> float:
    """Return the mean over factors of (I(z_1st; v) - I(z_2nd; v)) / H(v) for z ~ q(z|x), in [0, 1].

    Chen et al. 2018, section 4.1. `mig` takes the posterior means for the code, so a latent that is noise apart from a
    tiny shift can have all the information. Here a latent is worth what its draws tell.

    The images are taken for the whole population, as in the paper. If few images share a value of a factor and their
    posteriors hardly overlap, a draw identifies the image and therefore every factor: use many images.

    >>> v = np.repeat([0, 1], 500)
    >>> far_apart, noise = 100 * v, 0 * v
    >>> round(probabilistic_mig(np.stack([far_apart, noise], axis=1), np.zeros((1000, 2)), v), 6)
    1.0

    Args:
        mean: the posterior means, (N, D).
        logvar: log σ², (N, D).
        factors: (N,) or (N, A), integers. Factors that do not vary are ignored.
        seed: of the draws, one per image.

    Raises:
        UserError: if the arrays do not match, or no factor varies.
    """
    mu, y = as_codes_and_factors(mean, factors)
    log_variance = as_codes(logvar)
    if mu.shape != log_variance.shape:
        raise UserError(f"logvar: must have the shape of the means, {mu.shape}, got {log_variance.shape}.")
    information = density_information_matrix(mu, log_variance, y, seed)
    return float((top_two_gap(information) / entropies(y)).mean())


def density_information_matrix(mean: Floats, logvar: Floats, factors: Ints, seed: int) -> Floats:
    """Return I(z_d; v_k) of each latent and factor, (D, A), in nats: the mean of log q(z_d|v_k) - log q(z_d)."""
    mu, lv = (torch.from_numpy(x).float() for x in (mean, logvar))
    z = mu + torch.exp(0.5 * lv) * torch.randn(mu.shape, generator=torch.Generator().manual_seed(seed))
    log_qz = log_marginals(mu, lv, z)
    columns = []
    for values in torch.from_numpy(factors).T:
        log_qz_given_v = torch.empty_like(log_qz)
        for value in values.unique():
            rows = values == value
            log_qz_given_v[rows] = log_marginals(mu[rows], lv[rows], z[rows])
        columns.append((log_qz_given_v - log_qz).mean(0).clamp(min=0).numpy())
    return np.stack(columns, axis=1)


def log_marginals(mu: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
    """Return log q(z_d) of draws z (M, D) under the mean of the posteriors (N, D), float64 (M, D)."""
    return torch.cat([log_aggregate(mu, logvar, draws, 4 * CHUNK)[:, 1:] for draws in z.split(CHUNK)])
