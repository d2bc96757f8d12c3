"""Likelihoods p(x|z): what the decoder's output says about an image.

A likelihood is a small module that turns the decoder's output into a distribution over images. `values_per_pixel`
tells the decoder how many numbers it needs for each channel of each pixel.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions.posterior import LOG_2PI
from vae_lightning.errors import UserError


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
        return -F.binary_cross_entropy_with_logits(self.logits, x, reduction="none").flatten(1).sum(1)


class GaussianImages(NamedTuple):
    """Independent pixels, each N(mean, sigma²).

    Attributes:
        mean: (B, C, H, W).
        sigma: the standard deviation of every pixel, on the scale where black is 0 and white is 1.
    """

    mean: Tensor
    sigma: float

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p(x|z) of images (B, C, H, W), summed over channels and pixels, constant included: (B,), in nats."""
        squared = ((x - self.mean) / self.sigma).square().flatten(1).sum(1)
        return -0.5 * squared - x[0].numel() * (math.log(self.sigma) + 0.5 * LOG_2PI)


class Likelihood(nn.Module):
    """Decoder's output (B, C · values_per_pixel, H, W) -> p(x|z)."""

    values_per_pixel: int


class Bernoulli(Likelihood):
    """Decoder's output = logits. Kingma & Welling 2014, appendix C.1."""

    values_per_pixel = 1

    def forward(self, output: Tensor) -> BernoulliImages:
        """Map the decoder's output (B, C, H, W) to p(x|z)."""
        return BernoulliImages(output)


class Gaussian(Likelihood):
    """The sigmoid of the decoder's output = mean, σ fixed. Kingma & Welling 2014, appendix C.2, with σ fixed instead.

    Squared error is this with σ = 1/√2 ≈ 0.707, less the constant.

    Args:
        sigma: σ > 0, on the scale where black is 0 and white is 1.

    Raises:
        UserError: when sigma is not positive.
    """

    values_per_pixel = 1

    def __init__(self, *, sigma: float) -> None:
        super().__init__()
        if sigma <= 0:
            raise UserError(f"likelihood: sigma is a standard deviation and must be above 0, not {sigma}")
        self.sigma = sigma

    def forward(self, output: Tensor) -> GaussianImages:
        """Map the decoder's output (B, C, H, W) to p(x|z)."""
        return GaussianImages(torch.sigmoid(output), self.sigma)
