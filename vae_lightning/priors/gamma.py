"""The gamma prior."""

from typing import Any

from torch import Tensor

from vae_lightning.distributions.prior import FixedPrior
from vae_lightning.posteriors.gamma import GammaDistribution


class GammaPrior(FixedPrior):
    """p(z) is Gamma(α, β) for each latent, with the density β^α z^(α-1) exp(-βz) / Γ(α).

    Args:
        concentration: α, from 0.1 to 10,000. Below 1, the density is infinite at 0, and latents are sparse. For a large
            α, it is close to a Gaussian.
        rate: β > 0, which only scales the latents. Their mean is α / β, by default 1, as that of q(z|x) is before
            training.
        **shapes: those of `FixedPrior`.
    """

    support = "positive vectors"

    def __init__(self, *, concentration: float = 2.0, rate: float = 2.0, **shapes: Any) -> None:
        super().__init__(**shapes)
        self.concentration, self.rate = concentration, rate

    def forward(self, encode: Any, condition: Tensor | None) -> GammaDistribution:
        """Return the distribution, the same for every image."""
        return GammaDistribution(self.zeros + self.concentration, self.zeros + self.rate)
