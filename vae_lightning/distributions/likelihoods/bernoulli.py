"""Bernoulli likelihood of binary pixels: binary cross-entropy, which papers also use for gray pixels."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import IndependentPixels, Likelihood


@dataclass(frozen=True, eq=False)
class BernoulliImages(IndependentPixels):
    """Independent pixels that are 1 with probability sigmoid(logit).

    Attributes:
        logits: log-odds of each pixel, (B, C, H, W).
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """Probability of each pixel, (B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.logits)

    def pixel_log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x|z) of each value of images (B, C, H, W) in [0, 1], in nats.

        The negative is the binary cross-entropy of vae-cvae-mnist, Eq. 30. It is a likelihood of binary images only.
        For gray values it is the cross-entropy that papers report, which cannot reach 0.
        """
        return -F.binary_cross_entropy_with_logits(self.logits, x, reduction="none")

    def sample(self) -> Tensor:
        """Draw binary images, (B, C, H, W)."""
        return (torch.rand_like(self.logits) < self.mean).to(self.logits)


class Bernoulli(Likelihood):
    """Bernoulli likelihood, whose logits the decoder outputs. Kingma & Welling 2014, appendix C.1."""

    def forward(self, output: Tensor) -> BernoulliImages:
        """Map the decoder's output (B, C, H, W) to p(x|z)."""
        return BernoulliImages(output)
