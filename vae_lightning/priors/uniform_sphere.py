"""The uniform prior on the unit sphere."""

from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import Prior
from vae_lightning.posteriors.von_mises_fisher import UniformOnSphere


class UniformSphere(Prior):
    """p(z) is uniform on the unit sphere in R^D. Davidson et al. 2018.

    Args:
        latent_dim: D.
        **_: the other shapes of the model.
    """

    support = "unit vectors"
    zeros: Tensor

    def __init__(self, *, latent_dim: int, **_: Any) -> None:
        super().__init__()
        self.register_buffer("zeros", torch.zeros(1, latent_dim), persistent=False)

    def forward(self, encode: Any, condition: Tensor | None) -> UniformOnSphere:
        """Return the distribution, the same for every image."""
        return UniformOnSphere(self.zeros)
