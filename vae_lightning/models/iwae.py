"""The importance-weighted autoencoder."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.models.base import ELBOModule, repeat_rows
from vae_lightning.regularizers import KL


def importance_weighted_bound(log_w: Tensor) -> Tensor:
    """Compute log 1/K Σ_k w_k of each image, (B,). Its mean is at most log p(x), and tighter for larger K.

    Its gradient is Σ_k w̃_k ∇ log w_k with w̃ = w / Σ w, as in Burda et al. 2016, Eq. 14.

    Args:
        log_w: log p(x, z_k) - log q(z_k|x) with z_k ~ q(z|x), (K, B).
    """
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


class IWAE(ELBOModule):
    """-E[log 1/K Σ_k p(x, z_k) / q(z_k|x)]. Burda et al. 2016, Eq. 8.

    `objective` is this bound, which is at most `nelbo`. Distortion, rate and nelbo are those of the VAE, averaged over
    the K samples. The warm-up weights log p(z) - log q(z|x) inside the importance weights.

    Args:
        num_samples: K >= 1; 1 gives the VAE with a sampled KL. The decoder processes K times the batch.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(self, *, num_samples: int = 5, **kwargs: Any) -> None:
        super().__init__(regularizer=KL(beta=1.0), **kwargs)
        self.num_samples = num_samples

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model with K samples per image: every tensor has K·B rows, the batch K times in a row."""
        x = self.as_images(x)
        qz, pz, z = self.infer(x, y, self.num_samples)
        x, y = repeat_rows(x, self.num_samples), repeat_rows(y, self.num_samples)
        return ForwardPass(x, y, qz, pz, z, self.decode(z, y))

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the bound, instead of the sum of distortion and rate."""
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
