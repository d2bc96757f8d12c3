"""What latents know, held against the exact aggregate posterior: no estimator, all pairs."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions.posterior import LOG_2PI
from vae_lightning.metrics.repeats import Track


class Information(NamedTuple):
    """Of each of N draws, float64 (N,), in nats; the means over draws are the terms. Chen et al. 2018, Eq. 2.

    Attributes:
        mutual_information: log q(z|x) - log q(z), of I(x; z) among N images: at most log N.
        total_correlation: log q(z) - Σ_d log q(z_d).
        log_marginals: log q(z_d) of each latent, (N, D): less log p(z_d), the dimension-wise KL.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    log_marginals: Tensor


@torch.no_grad()
def information(mu: Tensor, logvar: Tensor, z: Tensor, *, chunk: int = 1024, track: Track = iter) -> Information:
    """I(x; z), total correlation and marginals against q(z) = 1/N Σ_n N(z; mu_n, σ_n²), summed over all N images.

    N² · D densities, of which chunk · 4 chunk are held at a time. They have the precision of what is given (pass
    float64 for more); sums over them are float64.

    Args:
        mu: the posterior means, (N, D).
        logvar: log σ², (N, D).
        z: one draw from each posterior, (N, D).
        chunk: the draws of a pass.
        track: puts a progress bar around the passes.
    """
    pieces = z.split(chunk)
    parts = [log_aggregate(mu, logvar, pieces[i], 4 * chunk) for i in track(range(len(pieces)))]
    log_qz, log_marginals = (torch.cat(part) for part in zip(*parts, strict=True))
    log_qz_given_x = -0.5 * ((z - mu).double().square() * torch.exp(-logvar.double()) + logvar.double() + LOG_2PI).sum(
        1
    )
    return Information(log_qz_given_x - log_qz, log_qz - log_marginals.sum(1), log_marginals)


def log_aggregate(mu: Tensor, logvar: Tensor, z: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """log q(z) (M,) and log q(z_d) (M, D) of draws z (M, D) from anywhere, float64, `chunk` posteriors at a time."""
    log_qz = torch.full((len(z),), -math.inf, dtype=torch.float64, device=z.device)
    log_marginals = torch.full(z.shape, -math.inf, dtype=torch.float64, device=z.device)
    for m, lv in zip(mu.split(chunk), logvar.split(chunk), strict=True):
        scale, constant = torch.exp(-0.5 * lv) * math.sqrt(0.5), -0.5 * (lv + LOG_2PI)
        joint = z.new_zeros(len(z), len(m))
        for d in range(z.shape[1]):  # one latent at a time: (M, chunk) is all that is held
            log_q = constant[:, d] - ((z[:, d, None] - m[:, d]) * scale[:, d]).square_()
            joint += log_q
            log_marginals[:, d] = torch.logaddexp(log_marginals[:, d], torch.logsumexp(log_q, 1).double())
        log_qz = torch.logaddexp(log_qz, torch.logsumexp(joint, 1).double())
    return log_qz - math.log(len(mu)), log_marginals - math.log(len(mu))


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """The number of latents whose posterior means (N, D) have a variance over images above the threshold.

    Burda et al. 2016, section 5.2.
    """
    return int((mu.var(0, correction=0) > threshold).sum())
