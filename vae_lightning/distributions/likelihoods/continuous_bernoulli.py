"""Continuous Bernoulli likelihood of gray pixels: binary cross-entropy with the missing normalizing constant."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import IndependentPixels, Likelihood
from vae_lightning.distributions.likelihoods.expm1_ratio import exponential_mean, exponential_quantile, log_expm1_ratio


@dataclass(frozen=True, eq=False)
class ContinuousBernoulliImages(IndependentPixels):
    """Independent pixels with density ∝ λˣ (1 − λ)¹⁻ˣ ∝ eˡˣ on [0, 1], where l = log(λ / (1 − λ)) is the logit.

    Everything is computed from logits, since λ rounds to 1 at l = 17 and the constant is 0 / 0 at λ = 1/2.

    Attributes:
        logits: l, (B, C, H, W).
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean 1 / (1 − e⁻ˡ) − 1/l, (B, C, H, W) in [0, 1]. It is closer to 1/2 than λ = sigmoid(l)."""
        return exponential_mean(self.logits)

    def pixel_log_prob(self, x: Tensor) -> Tensor:
        """Compute the log density of each value of images (B, C, H, W) in [0, 1], in nats.

        This is the negative cross-entropy plus log(l / tanh(l/2)), and their sum is l·x − log((eˡ − 1) / l).
        """
        l_x = self.logits * x - F.relu(self.logits)  # exactly 0 for white at a high logit
        return l_x - log_expm1_ratio(self.logits)

    def sample(self) -> Tensor:
        """Draw images, (B, C, H, W) in [0, 1], by inverting the distribution function."""
        return exponential_quantile(torch.rand_like(self.logits), self.logits)


class ContinuousBernoulli(Likelihood):
    """Continuous Bernoulli likelihood, whose logits the decoder outputs. Loaiza-Ganem & Cunningham 2019, section 3."""

    def forward(self, output: Tensor) -> ContinuousBernoulliImages:
        """Map the decoder's output (B, C, H, W) to p(x|z)."""
        return ContinuousBernoulliImages(output)
