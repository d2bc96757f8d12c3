"""The aggregate posterior q(z), estimated from a batch, without a tensor of all pairs and latents."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vae_lightning.distributions.posterior import LOG_2PI

NUMBERS_AT_A_TIME = {"cpu": 2**20, "cuda": 2**24, "mps": 2**24}  # on a CPU what its caches hold
NATS_PER_BIT = math.log(2)  # in nats; powers of 2 take a third of the time of those of e
NEGLIGIBLE_BITS = -90.0  # bits: lost beside 1, and still far from 2^-126, below which a CPU becomes ten times slower


def mean_log_aggregate(z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the means over i of log q(z_i) and Σ_d log q(z_i[d]), where q = Σ_j w_ij N(mu_j, exp(logvar_j)).

    Two scalars, in nats. Time grows with B W D, as it must; memory with (B + W) D beside the weights: a few rows are
    taken at a time, and their part of the gradient with them, so that nothing is computed twice or kept for it.

    Args:
        z: the latents, (B, D).
        mu: means of the posteriors, (W, D).
        logvar: their log σ², (W, D).
        log_weights: log w, (B, W).
    """
    return MeanLogAggregate.apply(z, mu, logvar, log_weights)


class MeanLogAggregate(torch.autograd.Function):
    """`mean_log_aggregate` and its first derivative."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        """Log-sum-exp over the posteriors, of all latents together and of each."""
        z, mu, logvar = (x.T.contiguous() for x in (z, mu, logvar))  # the longest dimension last: sums run along memory
        scale = torch.exp(-0.5 * logvar).div_(math.sqrt(2 * NATS_PER_BIT))
        joint, each = (LogSumExpAccumulator(z, scale, derive=any(ctx.needs_input_grad)) for _ in range(2))
        with torch.autocast(z.device.type, enabled=False):
            for rows, distance, log_q, log_weight in chunks(z, mu, logvar, scale, log_weights):
                log_joint = log_q.sum(0, keepdim=True).add_(log_weight)  # the weight once, not once a latent
                each.add(rows, log_q.add_(log_weight), distance, spare=log_q)
                joint.add(rows, log_joint, distance, spare=log_q)
        ctx.save_for_backward(*joint.gradient(), *each.gradient())
        return joint.mean(), each.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_joint: Tensor, by_each: Tensor) -> tuple[Tensor | None, ...]:
        """The chain rule."""
        joint, each = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
        return *((by_joint * j + by_each * e).T for j, e in zip(joint, each, strict=True)), None


class LogSumExpAccumulator:
    """Σ_i log Σ_j exp(log q_ij), and its derivatives, which grow row by row.

    That by log q_ij is the share of j in the sum over j; from there on it is that of a Gaussian.

    Args:
        z: (D, B).
        scale: of `chunks`, (D, W).
        derive: whether the derivatives are wanted.
    """

    def __init__(self, z: Tensor, scale: Tensor, derive: bool) -> None:
        self.scale, self.derive = scale, derive
        self.total = z.new_zeros(())
        self.by_z, self.by_mu, self.by_logvar = torch.empty_like(z), torch.zeros_like(scale), torch.zeros_like(scale)

    def add(self, rows: slice, log_q: Tensor, distance: Tensor, spare: Tensor) -> None:
        """Add b rows.

        Args:
            rows: which.
            log_q: (K, b, W) in bits, K = D or 1; it is lost.
            distance: of `chunks`, (D, b, W).
            spare: memory for (D, b, W); it may be that of log_q.
        """
        most = log_q.amax(-1, keepdim=True)
        share = log_q.sub_(most).clamp_(min=NEGLIGIBLE_BITS).exp2_()
        total = share.sum(-1, keepdim=True)
        self.total += (total.log2() + most).sum()
        if self.derive:
            norm = total.reciprocal_().mT  # (K, 1, b): sums over the rows are products with it
            self.by_logvar -= (norm @ share)[:, 0].mul_(0.5 / NATS_PER_BIT)
            norm = norm.expand(len(distance), -1, -1)
            by_mu = torch.mul(share, distance, out=spare).mul_(self.scale[:, None])
            self.by_z[:, rows] = by_mu.sum(-1).mul_(norm[:, 0])
            self.by_mu += (norm @ by_mu)[:, 0]
            self.by_logvar += (norm @ by_mu.mul_(distance))[:, 0].div_(self.scale)

    def mean(self) -> Tensor:
        """Over the rows, in nats."""
        return self.total * (NATS_PER_BIT / self.by_z.shape[1])

    def gradient(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of the mean by z, mu and logvar, (D, B) and twice (D, W): -2, 2 and 1 are those of -distance²."""
        one = NATS_PER_BIT / self.by_z.shape[1]
        return self.by_z.mul_(-2 * one), self.by_mu.mul_(2 * one), self.by_logvar.mul_(one)


def chunks(
    z: Tensor, mu: Tensor, logvar: Tensor, scale: Tensor, log_weights: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """For b rows at a time: which, (z_i - mu_j) · scale_j and log q(z_i[d] | x_j), both (D, b, W), log w_ij, (b, W).

    Logarithms are in bits, and scale is such that log q is a constant less the distance squared. The tensors are those
    of the rows before, written anew: they stay in the caches.
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
