"""Mutual information and total correlation of latents, from the exact aggregate posterior over all pairs of images."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions.posterior import ACTIVE_UNIT_VARIANCE, LOG_2PI
from vae_lightning.metrics.arrays import as_tensor
from vae_lightning.metrics.passes import Collect, collect


class Information(NamedTuple):
    """Information terms of each of N draws, float64 (N,), in nats. Chen et al. 2018, Eq. 2.

    The mean over the draws estimates each term.

    Attributes:
        mutual_information: log q(z|x) - log q(z), whose mean is I(x; z) among N images, at most log N.
        total_correlation: log q(z) - Σ_d log q(z_d).
        log_marginals: log q(z_d) of each latent, (N, D). Minus log p(z_d), it gives the dimension-wise KL.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    log_marginals: Tensor


@torch.no_grad()
def information(mu: Any, logvar: Any, z: Any, *, chunk: int = 1024, collect: Collect = collect) -> Information:
    """Compute I(x; z), total correlation and marginals under q(z) = 1/N Σ_n N(z; mu_n, σ_n²), summed over all images.

    This evaluates N² · D densities, of which chunk · 4 chunk are in memory at a time. They have the precision of the
    inputs; pass float64 for more. Sums over them are float64.

    Args:
        mu: the posterior means, (N, D).
        logvar: log σ², (N, D).
        z: one draw from each posterior, (N, D).
        chunk: the number of draws per pass.
        collect: computes the passes.
    """
    mu, logvar, z = as_tensor(mu), as_tensor(logvar), as_tensor(z)
    z_chunks = z.split(chunk)
    rows = collect(range(len(z_chunks)), lambda i: log_aggregate(mu, logvar, z_chunks[i], 4 * chunk)).to(z.device)
    log_qz, log_marginals = rows[:, 0], rows[:, 1:]
    log_densities = (z - mu).double().square() * torch.exp(-logvar.double()) + logvar.double() + LOG_2PI
    log_qz_given_x = -0.5 * log_densities.sum(1)
    return Information(log_qz_given_x - log_qz, log_qz - log_marginals.sum(1), log_marginals)


def log_aggregate(mu: Tensor, logvar: Tensor, z: Tensor, chunk: int) -> Tensor:
    """Return log q(z), then log q(z_d) of each latent, at any points z (M, D): float64 (M, 1 + D).

    Args:
        mu: the posterior means, (N, D).
        logvar: log σ², (N, D).
        z: (M, D).
        chunk: the number of posteriors that are processed at a time.
    """
    log_qz = torch.full((len(z),), -math.inf, dtype=torch.float64, device=z.device)
    log_marginals = torch.full(z.shape, -math.inf, dtype=torch.float64, device=z.device)
    for m, lv in zip(mu.split(chunk), logvar.split(chunk), strict=True):
        scale, constant = torch.exp(-0.5 * lv) * math.sqrt(0.5), -0.5 * (lv + LOG_2PI)
        joint = z.new_zeros(len(z), len(m))
        for d in range(z.shape[1]):  # one latent at a time, so that no tensor is larger than (M, chunk)
            log_q = constant[:, d] - ((z[:, d, None] - m[:, d]) * scale[:, d]).square_()
            joint += log_q
            log_marginals[:, d] = torch.logaddexp(log_marginals[:, d], torch.logsumexp(log_q, 1).double())
        log_qz = torch.logaddexp(log_qz, torch.logsumexp(joint, 1).double())
    return torch.cat([log_qz[:, None], log_marginals], dim=1) - math.log(len(mu))


def active_units(mu: Any, threshold: float = ACTIVE_UNIT_VARIANCE) -> int:
    """Count the latents whose posterior means (N, D) have a variance over images above the threshold.

    Burda et al. 2016, section 5.2.
    """
    return int((as_tensor(mu).var(0, correction=0) > threshold).sum())
