"""Estimates of the aggregate posterior q(z) from a batch, without a tensor of all pairs and latents."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vae_lightning.distributions.posterior import LOG_2PI

CHUNK_NUMEL = 2**24  # of a (D, b, W) tensor
CPU_CHUNK_NUMEL = 2**20  # which fits into its caches
NATS_PER_BIT = math.log(2)  # exp2 takes a third of the time of exp
NEGLIGIBLE_BITS = -90.0  # 2^-90 is negligible beside 1, and far above 2^-126, below which a CPU is ten times slower


def mean_log_aggregate(z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the means over i of log q(z_i) and Σ_d log q(z_i[d]), where q = Σ_j w_ij N(mu_j, exp(logvar_j)).

    Time is proportional to B · W · D, and memory to (B + W) · D besides the weights. Rows are processed in chunks
    together with their part of the gradient, so nothing is stored or recomputed for the backward pass.

    Args:
        z: latents, (B, D).
        mu: means of the posteriors, (W, D).
        logvar: log σ² of the posteriors, (W, D).
        log_weights: log w, (B, W).

    Returns:
        The two means, scalars in nats.
    """
    return MeanLogAggregate.apply(z, mu, logvar, log_weights)


class MeanLogAggregate(torch.autograd.Function):
    """`mean_log_aggregate` with its first derivative."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the log-sum-exp over posteriors, jointly for all latents and for each latent."""
        # The longest dimension comes last, so that sums read contiguous memory.
        z, mu, logvar = (x.T.contiguous() for x in (z, mu, logvar))
        scale = torch.exp(-0.5 * logvar).div_(math.sqrt(2 * NATS_PER_BIT))
        joint, marginal = (LogSumExpAccumulator(z, scale, compute_grad=any(ctx.needs_input_grad)) for _ in range(2))
        with torch.autocast(z.device.type, enabled=False):
            for rows, distance, log_q, log_weight in chunks(z, mu, logvar, scale, log_weights):
                log_joint = log_q.sum(0, keepdim=True).add_(log_weight)  # the weight is added once, not once per latent
                marginal.add(rows, log_q.add_(log_weight), distance, buffer=log_q)
                joint.add(rows, log_joint, distance, buffer=log_q)
        ctx.save_for_backward(*joint.gradient(), *marginal.gradient())
        return joint.mean(), marginal.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_joint: Tensor, grad_marginal: Tensor) -> tuple[Tensor | None, ...]:
        """Apply the chain rule."""
        joint, marginal = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
        return *((grad_joint * j + grad_marginal * m).T for j, m in zip(joint, marginal, strict=True)), None


class LogSumExpAccumulator:
    """Accumulates Σ_i log Σ_j exp(log q_ij) and its derivatives over chunks of rows.

    The derivative with respect to log q_ij is the softmax over j, times the derivative of a Gaussian log density.

    Args:
        z: latents, (D, B).
        scale: scale of the distances, (D, W); see `chunks`.
        compute_grad: whether to compute the derivatives.
    """

    def __init__(self, z: Tensor, scale: Tensor, compute_grad: bool) -> None:
        self.scale, self.compute_grad = scale, compute_grad
        self.total = z.new_zeros(())
        self.grad_z = torch.empty_like(z)
        self.grad_mu, self.grad_logvar = torch.zeros_like(scale), torch.zeros_like(scale)

    def add(self, rows: slice, log_q: Tensor, distance: Tensor, buffer: Tensor) -> None:
        """Add a chunk of b rows.

        Args:
            rows: the indices of the rows.
            log_q: log densities in bits, (K, b, W) with K = D or 1. Overwritten.
            distance: scaled distances, (D, b, W); see `chunks`.
            buffer: memory for intermediate results, (D, b, W). It may be that of log_q.
        """
        largest = log_q.amax(-1, keepdim=True)
        weights = log_q.sub_(largest).clamp_(min=NEGLIGIBLE_BITS).exp2_()
        total = weights.sum(-1, keepdim=True)
        self.total += (total.log2() + largest).sum()
        if self.compute_grad:
            norm = total.reciprocal_().mT  # (K, 1, b), so that sums over rows are matrix products
            self.grad_logvar -= (norm @ weights)[:, 0].mul_(0.5 / NATS_PER_BIT)
            norm = norm.expand(len(distance), -1, -1)
            grad_mu = torch.mul(weights, distance, out=buffer).mul_(self.scale[:, None])
            self.grad_z[:, rows] = grad_mu.sum(-1).mul_(norm[:, 0])
            self.grad_mu += (norm @ grad_mu)[:, 0]
            self.grad_logvar += (norm @ grad_mu.mul_(distance))[:, 0].div_(self.scale)

    def mean(self) -> Tensor:
        """Return the mean over rows, in nats."""
        return self.total * (NATS_PER_BIT / self.grad_z.shape[1])

    def gradient(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the mean with respect to z (D, B), mu (D, W) and logvar (D, W)."""
        unit = NATS_PER_BIT / self.grad_z.shape[1]
        # The factors -2, 2 and 1 come from the derivatives of -distance².
        return self.grad_z.mul_(-2 * unit), self.grad_mu.mul_(2 * unit), self.grad_logvar.mul_(unit)


def chunks(
    z: Tensor, mu: Tensor, logvar: Tensor, scale: Tensor, log_weights: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Yield chunks of b rows: their indices, distances (z_i - mu_j) · scale_j, log q(z_i[d] | x_j) and log w_ij.

    Distances and log q have shape (D, b, W), and log w has shape (b, W). Logarithms are in bits. The scale is such that
    log q is a constant minus the squared distance. The tensors are reused for the next chunk, so they stay cached.
    """
    constant = (logvar + LOG_2PI)[:, None].mul_(-0.5 / NATS_PER_BIT)  # (D, 1, W)
    b = max(1, (CPU_CHUNK_NUMEL if z.is_cpu else CHUNK_NUMEL) // mu.numel())
    distances = z.new_empty(len(z), min(b, z.shape[1]), mu.shape[1])
    log_qs = torch.empty_like(distances)
    for start in range(0, z.shape[1], b):
        rows = slice(start, start + b)
        log_weight = log_weights[rows] / NATS_PER_BIT
        n = len(log_weight)
        distance = torch.sub(z[:, rows, None], mu[:, None], out=distances[:, :n]).mul_(scale[:, None])
        yield rows, distance, torch.addcmul(constant, distance, distance, value=-1, out=log_qs[:, :n]), log_weight
