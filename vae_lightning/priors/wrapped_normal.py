"""The wrapped normal prior on the Poincaré ball."""

from typing import Any

from torch import Tensor, nn

from vae_lightning.distributions.prior import FixedPrior
from vae_lightning.posteriors.poincare import WrappedNormal


class WrappedNormalPrior(FixedPrior):
    """p(z) is the wrapped normal distribution at the origin of the posterior's ball, with σ = 1. Mathieu et al. 2019.

    Args:
        posterior: a `PoincareBall`, with the curvature.
        **shapes: those of `FixedPrior`.
    """

    support = "points of the Poincaré ball"

    def __init__(self, *, posterior: nn.Module, **shapes: Any) -> None:
        super().__init__(**shapes)
        self.curvature: float = getattr(posterior, "curvature", 1.0)  # the model rejects other posteriors

    def forward(self, encode: Any, condition: Tensor | None) -> WrappedNormal:
        """Return the distribution, the same for every image."""
        return WrappedNormal(self.zeros, self.zeros, self.curvature)
