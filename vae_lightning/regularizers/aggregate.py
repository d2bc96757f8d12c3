"""The aggregate posterior q(z), estimated from a batch without a tensor of all pairs and latents."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vae_lightning.distributions.posterior import LOG_2PI

NUMBERS_AT_A_TIME = {"cpu": 2**20, "cuda": 2**24, "mps": 2**24}  # on a CPU, what fits into its caches
NATS_PER_BIT = math.log(2)  # exp2 takes a third of the time of exp
NEGLIGIBLE_BITS = -90.0  # negligible beside 1, and far above 2^-126, below which a CPU is ten times slower


def mean_log_aggregate(z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the means over i of log q(z_i) and Σ_d log q(z_i[d]), where q = Σ_j w_ij N(mu_j, exp(logvar_j)).

    Returns two scalars in nats. Time is proportional to B W D; memory to (B + W) D, besides the weights. A few rows are
    processed at a time together with their part of the gradient, so nothing is stored or recomputed for it.

    Args:
        z: the latents, (B, D).
        mu: means of the posteriors, (W, D).
        logvar: log σ² of the posteriors, (W, D).
        log_weights: log w, (B, W).
    """
    return MeanLogAggregate.apply(z, mu, logvar, log_weights)


class MeanLogAggregate(torch.autograd.Function):
    """`mean_log_aggregate` with its first derivative."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute log-sum-exp over the posteriors, jointly over latents and for each latent."""
        z, mu, logvar = (
            x.T.contiguous() for x in (z, mu, logvar)
        )  # the longest dimension last, so sums run along memory
        scale = torch.exp(-0.5 * logvar).div_(math.sqrt(2 * NATS_PER_BIT))
        joint, marginal = (LogSumExpAccumulator(z, scale, derive=any(ctx.needs_input_grad)) for _ in range(2))
        with torch.autocast(z.device.type, enabled=False):
            for rows, distance, log_q, log_weight in chunks(z, mu, logvar, scale, log_weights):
                log_joint = log_q.sum(0, keepdim=True).add_(log_weight)  # the weight once, not once per latent
                marginal.add(rows, log_q.add_(log_weight), distance, spare=log_q)
                joint.add(rows, log_joint, distance, spare=log_q)
        ctx.save_for_backward(*joint.gradient(), *marginal.gradient())
        return joint.mean(), marginal.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_joint: Tensor, by_marginal: Tensor) -> tuple[Tensor | None, ...]:
        """Apply the chain rule."""
        joint, marginal = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
        return *((by_joint * j + by_marginal * m).T for j, m in zip(joint, marginal, strict=True)), None


class LogSumExpAccumulator:
    """Accumulates Σ_i log Σ_j exp(log q_ij) and its derivatives, a few rows at a time.

    The derivative with respect to log q_ij is the softmax over j; the rest is the derivative of a Gaussian.

    Args:
        z: (D, B).
        scale: of `chunks`, (D, W).
        derive: whether to compute the derivatives.
    """

    def __init__(self, z: Tensor, scale: Tensor, derive: bool) -> None:
        self.scale, self.derive = scale, derive
        self.total = z.new_zeros(())
        self.by_z, self.by_mu, self.by_logvar = torch.empty_like(z), torch.zeros_like(scale), torch.zeros_like(scale)

    def add(self, rows: slice, log_q: Tensor, distance: Tensor, spare: Tensor) -> None:
        """Add b rows.

        Args:
            rows: the indices of the rows.
            log_q: (K, b, W) in bits, K = D or 1; overwritten.
            distance: of `chunks`, (D, b, W).
            spare: memory for (D, b, W), which may be that of log_q.
        """
        largest = log_q.amax(-1, keepdim=True)
        weights = log_q.sub_(largest).clamp_(min=NEGLIGIBLE_BITS).exp2_()
        total = weights.sum(-1, keepdim=True)
        self.total += (total.log2() + largest).sum()
        if self.derive:
            norm = total.reciprocal_().mT  # (K, 1, b), so that sums over rows are matrix products
            self.by_logvar -= (norm @ weights)[:, 0].mul_(0.5 / NATS_PER_BIT)
            norm = norm.expand(len(distance), -1, -1)
            by_mu = torch.mul(weights, distance, out=spare).mul_(self.scale[:, None])
            self.by_z[:, rows] = by_mu.sum(-1).mul_(norm[:, 0])
            self.by_mu += (norm @ by_mu)[:, 0]
            self.by_logvar += (norm @ by_mu.mul_(distance))[:, 0].div_(self.scale)

    def mean(self) -> Tensor:
        """Return the mean over rows, in nats."""
        return self.total * (NATS_PER_BIT / self.by_z.shape[1])

    def gradient(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the mean for z, mu and logvar, (D, B) and twice (D, W); factors are of -distance²."""
        unit = NATS_PER_BIT / self.by_z.shape[1]
        return self.by_z.mul_(-2 * unit), self.by_mu.mul_(2 * unit), self.by_logvar.mul_(unit)


def chunks(
    z: Tensor, mu: Tensor, logvar: Tensor, scale: Tensor, log_weights: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Yield, for b rows at a time, their indices, distances (z_i - mu_j) · scale_j, log q(z_i[d] | x_j) and log w_ij.

    Distances and log q have the shape (D, b, W), log w (b, W). Logarithms are in bits, and the scale makes log q a
    constant minus the squared distance. The tensors are reused for the next rows, so they stay in the caches.
    """
    constant = (logvar + LOG_2PI)[:, None].mul_(-0.5 / NATS_PER_BIT)  # (D, 1, W)
    b = max(1, NUMBERS_AT_A_TIME[z.device.type] // mu.numel())
    distances = z.new_empty(len(z), min(b, z.shape[1]), mu.shape[1])
    logs = torch.empty_like(distances)
    for start in range(0, z.shape[1], b):
        rows = slice(start, start + b)
        log_weight = log_weights[rows] / NATS_PER_BIT
        n = len(log_weight)
        distance = torch.sub(z[:, rows, None], mu[:, None], out=distances[:, :n]).mul_(scale[:, None])
        yield rows, distance, torch.addcmul(constant, distance, distance, value=-1, out=logs[:, :n]), log_weight
