"""Latents with mean 0 and variance 1, which learned priors model instead of latents of any scale."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions import Prior

MIN_SCALE = 1e-6  # of a latent that is constant over the data


class StandardizedPrior(Prior):
    """Base class of priors of u = (z - shift) / scale. Each latent has mean 0 and variance 1 over the training images.

    Shift and scale are 0 and 1 unless `initialize_from_latents` is called, so a prior that is learned together with the
    model starts at the scale of N(0, I).

    Args:
        latent_dim: D.
        **_: the other shapes of the model.
    """

    shift: Tensor  # (D,)
    scale: Tensor  # (D,)

    def __init__(self, *, latent_dim: int, **_: Any) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.ones(latent_dim))

    @torch.no_grad()
    def initialize_from_latents(self, z: Tensor) -> None:
        """Set shift and scale to the mean and the standard deviation of latents z (N, D)."""
        self.shift.copy_(z.mean(0))
        self.scale.copy_(z.std(0, correction=0).clamp_min(MIN_SCALE))


class Standardized(NamedTuple):
    """Distribution of z = shift + scale · u.

    Attributes:
        u: the distribution of u, with the methods `log_prob(u)` and `sample(n, generator)`.
        shift: (D,).
        scale: (D,).
    """

    u: Any
    shift: Tensor
    scale: Tensor

    def standardize(self, z: Tensor) -> Tensor:
        """Map z (B, D) to u (B, D)."""
        return (z - self.shift) / self.scale

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats. The last term is the volume that the scale adds."""
        return self.u.log_prob(self.standardize(z)) - self.scale.log().sum()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D)."""
        return self.shift + self.scale * self.u.sample(n, generator)
