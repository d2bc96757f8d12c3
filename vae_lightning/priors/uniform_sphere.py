"""The uniform prior on the unit sphere."""

from typing import Any

from torch import Tensor

from vae_lightning.distributions.prior import FixedPrior
from vae_lightning.posteriors.von_mises_fisher import UniformOnSphere


class UniformSphere(FixedPrior):
    """p(z) is uniform on the unit sphere in R^D. Davidson et al. 2018."""

    support = "unit vectors"

    def forward(self, encode: Any, condition: Tensor | None) -> UniformOnSphere:
        """Return the distribution, the same for every image."""
        return UniformOnSphere(self.zeros)
