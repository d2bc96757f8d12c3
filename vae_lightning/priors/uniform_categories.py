"""The prior of continuous latents beside groups of categories."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from vae_lightning.distributions.prior import FixedPrior
from vae_lightning.posteriors.gumbel_softmax import JointUniform


class UniformCategories(FixedPrior):
    """p(z) is N(0, I) over continuous latents, and uniform over the categories of each group. Dupont 2018.

    Args:
        posterior: a `GumbelSoftmax`, with the groups.
        **shapes: those of `FixedPrior`.
    """

    support = "vectors with one-hot groups"

    def __init__(self, *, posterior: nn.Module, **shapes: Any) -> None:
        super().__init__(**shapes)
        self.categories: Sequence[int] = getattr(posterior, "categories", ())  # the model rejects other posteriors

    def forward(self, encode: Any, condition: Tensor | None) -> JointUniform:
        """Return the distribution, the same for every image."""
        return JointUniform(self.zeros, self.categories)
