"""8-bit pixels: the mass that a logistic density has around each of the 256 grey values."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import Likelihood, sum_per_image
from vae_lightning.distributions.likelihoods.expm1_ratio import log_expm1_ratio
from vae_lightning.distributions.likelihoods.scale import OffsetScale

MIN_SCALE = 1e-4  # of a logistic whose mass all but 1e-8 falls on one grey value: what a pixel that never changes needs
WHITE = 255


class DiscretizedLogisticImages(NamedTuple):
    """Independent pixels, each a grey value k/255 with the logistic's mass between (k - 1/2)/255 and (k + 1/2)/255.

    Black and white have the tails as well, so that the 256 masses sum to 1.

    Attributes:
        mean: that of the logistic, (B, C, H, W).
        log_scale: log s of the logistic, (B, C, H, W).
    """

    mean: Tensor
    log_scale: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """The log mass of images (B, C, H, W) of grey values k/255, summed over channels and pixels: (B,), in nats.

        With F = sigmoid, a bin from u to u + w has the mass F(u + w) − F(u) = F(u + w) · F(−u) · (1 − e⁻ʷ), whose
        factors have logarithms that neither underflow nor cancel.
        """
        k = torch.round(WHITE * x)  # whole numbers: the upper edge of a bin is to the bit the lower edge of the next
        log_w = -self.log_scale - math.log(WHITE)  # the width of a bin in scales
        w = torch.exp(log_w)
        log_upper = F.logsigmoid((k + 0.5 - WHITE * self.mean) * w).masked_fill(k == WHITE, 0)
        log_lower = F.logsigmoid((WHITE * self.mean - k + 0.5) * w).masked_fill(k == 0, 0)
        log_width = log_w + log_expm1_ratio(w)  # log(1 − e⁻ʷ), also where w is so small that 1 − e⁻ʷ rounds to 0
        return sum_per_image(log_upper + log_lower + log_width.masked_fill((k == 0) | (k == WHITE), 0))


class DiscretizedLogistic(Likelihood):
    """The sigmoid of the decoder's first C channels = mean, its last C = log s, counted from its start.

    Salimans et al. 2017, Eq. 2, with one component; Kingma et al. 2016, where s is one for each channel.

    Args:
        scale: s where the decoder's output is 0, above 0.0001, on the range where black is 0 and white is 1.

    Raises:
        UserError: when the scale is too small.
    """

    values_per_pixel = 2
    eight_bit = True

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = OffsetScale(scale, minimum=MIN_SCALE)

    def forward(self, output: Tensor) -> DiscretizedLogisticImages:
        """Map the decoder's output (B, 2C, H, W) to p(x|z)."""
        location, offset = output.chunk(2, dim=1)
        return DiscretizedLogisticImages(torch.sigmoid(location), self.scale(offset))
