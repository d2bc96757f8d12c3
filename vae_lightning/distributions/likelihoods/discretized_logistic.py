"""Discretized logistic likelihood of 8-bit pixels: the mass of a logistic distribution around each gray value."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import IndependentPixels, Likelihood
from vae_lightning.distributions.likelihoods.expm1_ratio import log_expm1_ratio
from vae_lightning.distributions.likelihoods.scale import OffsetScale

MIN_SCALE = 1e-4  # allows all but 1e-8 of the mass on one gray value, for pixels that never change
WHITE = 255


@dataclass(frozen=True, eq=False)
class DiscretizedLogisticImages(IndependentPixels):
    """Independent pixels: gray value k/255 has the mass of a logistic in ((k - 1/2)/255, (k + 1/2)/255).

    Black and white also have the mass of the tails, so the 256 masses sum to 1.

    Attributes:
        mean: mean of the logistic, (B, C, H, W).
        log_scale: log s, the log scale of the logistic, (B, C, H, W).
    """

    mean: Tensor
    log_scale: Tensor

    def pixel_log_prob(self, x: Tensor) -> Tensor:
        """Compute the log mass of each value k/255 of images (B, C, H, W), in nats."""
        return log_mass(x, self.mean, self.log_scale)

    def sample(self) -> Tensor:
        """Draw images with gray values k/255, (B, C, H, W) in [0, 1]."""
        gray = self.mean + torch.exp(self.log_scale) * torch.logit(torch.rand_like(self.mean))
        return torch.round(WHITE * gray.clamp(0, 1)) / WHITE


def log_mass(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Compute the log mass of gray values k/255 under a logistic, elementwise.

    With F = sigmoid, a bin from u to u + w has the mass F(u + w) − F(u) = F(u + w) · F(−u) · (1 − e⁻ʷ). The logarithms
    of these factors neither underflow nor cancel.
    """
    k = torch.round(WHITE * x)  # integers, so the upper edge of a bin is exactly the lower edge of the next
    log_w = -log_scale - math.log(WHITE)  # width of a bin, in units of s
    w = torch.exp(log_w)
    log_upper = F.logsigmoid((k + 0.5 - WHITE * mean) * w).masked_fill(k == WHITE, 0)
    log_lower = F.logsigmoid((WHITE * mean - k + 0.5) * w).masked_fill(k == 0, 0)
    log_width = log_w + log_expm1_ratio(w)  # log(1 − e⁻ʷ), also for w so small that 1 − e⁻ʷ rounds to 0
    return log_upper + log_lower + log_width.masked_fill((k == 0) | (k == WHITE), 0)


class DiscretizedLogistic(Likelihood):
    """Discretized logistic likelihood. Salimans et al. 2017, Eq. 2, with one component.

    The decoder outputs the mean (first C channels, through a sigmoid) and log s relative to its initial value (last C
    channels). In Kingma et al. 2016 there is one s per channel.

    Args:
        scale: s > 0.0001 for a decoder output of 0, in units in which black is 0 and white is 1.

    Raises:
        UserError: if the scale is too small.
    """

    values_per_pixel = 2
    eight_bit = True

    def __init__(self, *, scale: float = 0.1) -> None:
        super().__init__()
        self.scale = OffsetScale(scale, minimum=MIN_SCALE)

    def forward(self, output: Tensor) -> DiscretizedLogisticImages:
        """Map the decoder's output (B, 2C, H, W) to p(x|z)."""
        location, offset = output.chunk(2, dim=1)
        return DiscretizedLogisticImages(torch.sigmoid(location), self.scale(offset))
