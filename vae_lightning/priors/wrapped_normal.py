"""The wrapped normal prior on the Poincaré ball."""

from typing import Any

import torch
from torch import Tensor, nn

from vae_lightning.distributions import Prior
from vae_lightning.posteriors.poincare import WrappedNormal


class WrappedNormalPrior(Prior):
    """p(z) is the wrapped normal distribution at the origin of the posterior's ball, with σ = 1. Mathieu et al. 2019.

    Args:
        latent_dim: D.
        posterior: a `PoincareBall`, with the curvature.
        **_: the other shapes of the model.
    """

    support = "points of the Poincaré ball"
    zeros: Tensor

    def __init__(self, *, latent_dim: int, posterior: nn.Module, **_: Any) -> None:
        super().__init__()
        self.curvature: float = getattr(posterior, "curvature", 1.0)  # the model rejects other posteriors
        self.register_buffer("zeros", torch.zeros(1, latent_dim), persistent=False)

    def forward(self, encode: Any, condition: Tensor | None) -> WrappedNormal:
        """Return the distribution, the same for every image."""
        return WrappedNormal(self.zeros, self.zeros, self.curvature)
