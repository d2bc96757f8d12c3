"""The aggregate posterior q(z), estimated from a batch, without a tensor of all pairs and latents."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vae_lightning.distributions.posterior import LOG_2PI

NUMBERS_AT_A_TIME = {"cpu": 2**20, "cuda": 2**24, "mps": 2**24}  # on a CPU what its caches hold
NOTHING = -60.0  # exp of it is lost beside 1, and still far from 1e-38, below which a CPU becomes ten times slower


def log_aggregate(z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate log q(z_i) and Σ_d log q(z_i[d]), where q = Σ_j w_ij N(mu_j, exp(logvar_j)): two of (B,), in nats.

    Time grows with B W D, as it must; memory with B W + (B + W) D. A few rows are taken at a time, and again for the
    gradient, which is cheaper than to keep them.

    Args:
        z: the latents, (B, D).
        mu: means of the posteriors, (W, D).
        logvar: their log σ², (W, D).
        log_weights: log w, (B, W).
    """
    return LogAggregate.apply(z, mu, logvar, log_weights)


class LogAggregate(torch.autograd.Function):
    """`log_aggregate` and its first derivative."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        """Log-sum-exp over the posteriors, of all latents together and of each."""
        joint = z.new_empty(len(z))
        each = z.new_empty(z.shape[1], len(z))  # (D, B)
        for rows, _, log_q, log_weight in chunks(z, mu, logvar, log_weights):
            joint[rows] = log_sum_exp_(log_q.sum(0).add_(log_weight))  # the weight once, not once a latent
            each[:, rows] = log_sum_exp_(log_q.add_(log_weight))
        ctx.save_for_backward(z, mu, logvar, log_weights, joint, each)
        return joint, each.sum(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_joint: Tensor, by_each: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The derivative by log q(z_i[d] | x_j) is a softmax over j; from there on it is that of a Gaussian."""
        z, mu, logvar, log_weights, joint, each = ctx.saved_tensors
        scale = torch.exp(-0.5 * logvar).T.contiguous()  # (D, W)
        by_z, by_mu, by_logvar = torch.empty_like(each), torch.zeros_like(scale), torch.zeros_like(scale)
        for rows, distance, log_q, log_weight in chunks(z, mu, logvar, log_weights):
            by_sum = share_(log_q.sum(0).add_(log_weight), joint[rows]).mul_(by_joint[rows, None])
            by_log_q = share_(log_q.add_(log_weight), each[:, rows]).mul_(by_each[rows, None]).add_(by_sum)
            by_logvar -= 0.5 * by_log_q.sum(1)
            by_distance = by_log_q.mul_(distance)  # but for its sign
            by_mu += by_distance.sum(1)
            by_logvar += 0.5 * distance.mul_(by_distance).sum(1)
            by_z[:, rows] = by_distance.mul_(scale[:, None]).sum(2).neg_()
        return by_z.T, by_mu.mul_(scale).T, by_logvar.T, None


def chunks(
    z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """For b rows at a time: which, (z_i - mu_j) / σ_j and log q(z_i[d] | x_j), both (D, b, W), and log w_ij, (b, W)."""
    mu, logvar, z = (x.T.contiguous() for x in (mu, logvar, z))  # the longest dimension last: sums run along memory
    scale, constant = torch.exp(-0.5 * logvar)[:, None], -0.5 * (logvar + LOG_2PI)[:, None]  # (D, 1, W)
    centres, latents = mu[:, None], z[:, :, None]
    b = max(1, NUMBERS_AT_A_TIME[z.device.type] // mu.numel())
    for start in range(0, z.shape[1], b):
        rows = slice(start, start + b)
        distance = (latents[:, rows] - centres).mul_(scale)
        yield rows, distance, torch.addcmul(constant, distance, distance, value=-0.5), log_weights[rows]


def log_sum_exp_(x: Tensor) -> Tensor:
    """Log-sum-exp over the last dimension; x is lost."""
    most = x.amax(-1)
    return share_(x, most).sum(-1).log_().add_(most)


def share_(x: Tensor, total: Tensor) -> Tensor:
    """Exp(x - total), in place; `total` has no last dimension."""
    return x.sub_(total[..., None]).clamp_(min=NOTHING).exp_()
