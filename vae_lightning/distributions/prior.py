"""Priors p(z): where a sample comes from."""

import torch
from torch import Tensor, nn

from vae_lightning.distributions.posterior import LOG_2PI


class StandardNormal(nn.Module):
    """p(z) = N(0, I) in D dimensions (vae-cvae-mnist, Eq. 1)."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D), on the CPU: a seed then gives the same ones whatever the device."""
        return torch.randn(n, self.latent_dim, generator=generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """The log density of z (B, D), summed over the latents: (B,), in nats."""
        return -0.5 * (z.square() + LOG_2PI).sum(-1)
