"""A second VAE, of the latents of the first."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior
from vae_lightning.distributions.posterior import promote_to_float32, sample_noise
from vae_lightning.networks.mlp import linear_layers
from vae_lightning.priors.standardized import Standardized, StandardizedPrior


class SecondStageDistribution(NamedTuple):
    """p(u) = ∫ N(u; f(v), γ² I) N(v; 0, I) dv.

    Attributes:
        encoder: u (B, D), joined by the condition, -> q(v|u).
        decoder: v (B, D), joined by the condition, -> f(v) (B, D).
        log_gamma: log γ, a scalar.
        condition: (B, K), or None.
        dim: D.
    """

    encoder: nn.Module
    decoder: nn.Module
    log_gamma: Tensor
    condition: Tensor | None
    dim: int

    def log_prob(self, u: Tensor) -> Tensor:
        """Estimate the log density of u (B, D), (B,), in nats, as log p(u|v) + log p(v) - log q(v|u) with v ~ q(v|u).

        Its mean is the evidence lower bound, and its exponential is an unbiased estimate of p(u).
        """
        qv: DiagonalGaussian = self.encoder(self.join(u))
        v = qv.rsample()
        log_pv = DiagonalGaussian(torch.zeros_like(v), torch.zeros_like(v)).log_prob(v)
        return self.given(v).log_prob(u) + log_pv - qv.log_prob(v)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents with their noise γ, (n, D)."""
        v = sample_noise(n, self.dim, self.log_gamma, generator)
        return self.given(v).sample(n, generator)

    def given(self, v: Tensor) -> DiagonalGaussian:
        """Return p(u|v)."""
        mean = promote_to_float32(self.decoder(self.join(v)))
        return DiagonalGaussian(mean, (2 * self.log_gamma).expand_as(mean))

    def join(self, v: Tensor) -> Tensor:
        """Append the condition, if there is one."""
        return v if self.condition is None else torch.cat([v, self.condition], dim=1)


class SecondStageVAE(StandardizedPrior):
    """Two-stage VAE, with as many latents v as z has, and a learned noise γ. Dai & Wipf 2019, section 4.

    The second stage learns a distribution that fills its whole space, which the paper shows to be easier than that of
    images near a manifold.

    Args:
        latent_dim: D.
        condition_dim: K, or 0.
        hidden_dims: widths of the encoder's hidden layers; the decoder reverses them.
        **_: the other shapes of the model.
    """

    uses_condition = True
    is_estimated = True

    def __init__(
        self, *, latent_dim: int, condition_dim: int, hidden_dims: Sequence[int] = (512, 512), **_: Any
    ) -> None:
        super().__init__(latent_dim=latent_dim)
        dims = [latent_dim + condition_dim, *hidden_dims]
        self.encoder = nn.Sequential(*linear_layers(dims, "SiLU"), GaussianPosterior(dims[-1], latent_dim))
        dims = [latent_dim + condition_dim, *reversed(hidden_dims)]
        self.decoder = nn.Sequential(*linear_layers(dims, "SiLU"), nn.Linear(dims[-1], latent_dim))
        self.log_gamma = nn.Parameter(torch.zeros(()))

    def forward(self, encode: Any, condition: Tensor | None) -> Standardized:
        """Return p(z), or p(z|y) given a condition (B, K)."""
        second_stage = SecondStageDistribution(self.encoder, self.decoder, self.log_gamma, condition, len(self.shift))
        return Standardized(second_stage, self.shift, self.scale)
