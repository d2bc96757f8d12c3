"""The prior of continuous latents beside groups of categories."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vae_lightning.distributions import Prior
from vae_lightning.posteriors.gumbel_softmax import JointUniform


class UniformCategories(Prior):
    """p(z) is N(0, I) over continuous latents, and uniform over the categories of each group. Dupont 2018.

    Args:
        latent_dim: D.
        posterior: a `GumbelSoftmax`, with the groups.
        **_: the other shapes of the model.
    """

    support = "vectors with one-hot groups"
    zeros: Tensor

    def __init__(self, *, latent_dim: int, posterior: nn.Module, **_: Any) -> None:
        super().__init__()
        self.categories: Sequence[int] = getattr(posterior, "categories", ())  # the model rejects other posteriors
        self.register_buffer("zeros", torch.zeros(1, latent_dim), persistent=False)

    def forward(self, encode: Any, condition: Tensor | None) -> JointUniform:
        """Return the distribution, the same for every image."""
        return JointUniform(self.zeros, self.categories)
