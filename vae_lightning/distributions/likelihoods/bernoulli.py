"""Binary pixels, and the cross-entropy that the papers report for grey ones."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import Likelihood, sum_per_image


class BernoulliImages(NamedTuple):
    """Independent pixels, each 1 with probability sigmoid(logit).

    Attributes:
        logits: (B, C, H, W).
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """(B, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.logits)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p(x|z) of images (B, C, H, W) in [0, 1], summed over channels and pixels: (B,), in nats.

        The negative is the binary cross-entropy of vae-cvae-mnist, Eq. 30. It is a likelihood of binary images only;
        for grey values it is the cross-entropy that the papers report, which never falls to 0.
        """
        return -sum_per_image(F.binary_cross_entropy_with_logits(self.logits, x, reduction="none"))


class Bernoulli(Likelihood):
    """Decoder's output = logits. Kingma & Welling 2014, appendix C.1."""

    def forward(self, output: Tensor) -> BernoulliImages:
        """Map the decoder's output (B, C, H, W) to p(x|z)."""
        return BernoulliImages(output)
