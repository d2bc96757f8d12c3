"""The importance-weighted autoencoder."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, ForwardPass
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import KL


def importance_weighted_bound(log_w: Tensor) -> Tensor:
    """log 1/K Σ_k w_k of each image, (B,): in the mean never above log p(x), and nearer with each k.

    Its gradient is Σ_k w̃_k ∇ log w_k with w̃ = w / Σ w, that of Burda et al. 2016, Eq. 14.

    Args:
        log_w: log p(x, z_k) - log q(z_k|x) with z_k ~ q(z|x), (K, B).
    """
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


class IWAE(ELBOModule):
    """-E[log 1/K Σ_k p(x, z_k) / q(z_k|x)]. Burda et al. 2016, Eq. 8.

    `objective` is this bound, which is at most `nelbo`; distortion, rate and nelbo are those of the VAE, in the mean
    over the K draws. During a warm-up log p(z) - log q(z|x) is weighted inside the weights.

    Args:
        num_samples: K ≥ 1; 1 is the VAE with a sampled KL. The decoder sees K times the batch.
        **parts: those of `ELBOModule`.
    """

    def __init__(self, *, num_samples: int, **parts: Any) -> None:
        super().__init__(regularizer=KL(beta=1.0), **parts)
        self.num_samples = num_samples

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """As in `ELBOModule`, with K draws of each image: K·B of everything, the batch K times over."""
        x = self.as_images(x)
        k = self.num_samples
        q = self.encode(x, y)
        qz = DiagonalGaussian(q.mu.repeat(k, 1), q.logvar.repeat(k, 1))
        x, y = x.repeat(k, 1, 1, 1), None if y is None else y.repeat(k, *[1] * (y.dim() - 1))
        z = qz.rsample()
        return ForwardPass(x, y, qz, self.prior(self.encode, self.condition(y)), z, self.decode(z, y))

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """The bound in place of the sum of distortion and rate."""
        log_px = out.px.log_prob(out.x)
        log_ratio = out.pz.log_prob(out.z) - out.qz.log_prob(out.z)
        log_px, log_ratio = (t.unflatten(0, (self.num_samples, -1)) for t in (log_px, log_ratio))  # (K, B)
        _, terms = self.regularizer(out)
        return {
            "loss": -importance_weighted_bound(log_px + self.warmup * log_ratio).mean(),
            "objective": -importance_weighted_bound(log_px + log_ratio).mean(),
            "distortion": -log_px.mean(),
            **terms,
        }
