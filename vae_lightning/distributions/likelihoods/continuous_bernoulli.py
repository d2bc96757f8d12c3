"""Grey pixels with the density that binary cross-entropy lacks only the constant of."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import Likelihood, sum_per_image
from vae_lightning.distributions.likelihoods.expm1_ratio import exponential_mean, log_expm1_ratio


class ContinuousBernoulliImages(NamedTuple):
    """Independent pixels, each of density ∝ λˣ (1 − λ)¹⁻ˣ ∝ eˡˣ on [0, 1], with the logit l = log(λ / (1 − λ)).

    In logits throughout: λ itself rounds to 1 where l = 17, and the constant of λ has a 0 / 0 at λ = 1/2.

    Attributes:
        logits: l, (B, C, H, W).
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """1 / (1 − e⁻ˡ) − 1/l, (B, C, H, W) in [0, 1]: nearer to 1/2 than λ = sigmoid(l) is."""
        return exponential_mean(self.logits)

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density of images (B, C, H, W) in [0, 1], summed over channels and pixels: (B,), in nats.

        It is the negative cross-entropy plus log(l / tanh(l/2)), which together are l·x − log((eˡ − 1) / l).
        """
        l_x = self.logits * x - F.relu(self.logits)  # white at a high logit: exactly 0
        return sum_per_image(l_x - log_expm1_ratio(self.logits))


class ContinuousBernoulli(Likelihood):
    """Decoder's output = logits. Loaiza-Ganem & Cunningham 2019, section 3."""

    def forward(self, output: Tensor) -> ContinuousBernoulliImages:
        """Map the decoder's output (B, C, H, W) to p(x|z)."""
        return ContinuousBernoulliImages(output)
