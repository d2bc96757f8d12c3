"""Mixture of discretized logistics for 8-bit images, whose channels depend on each other."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import Likelihood, sum_per_image
from vae_lightning.distributions.likelihoods.discretized_logistic import MIN_SCALE, DiscretizedLogisticImages, log_mass
from vae_lightning.distributions.likelihoods.scale import OffsetScale

TINY = 1e-30  # a uniform number of 0 would have no logarithm
GRAY = 0.5  # the value of an earlier channel that leaves the mean of a later one unchanged


class DiscretizedLogisticMixtureImages(NamedTuple):
    """Independent pixels, each from one of K components, in which a channel's mean is linear in the earlier channels.

    Attributes:
        log_weights: log of the weights of the components, which sum to 1, (B, K, H, W).
        location: means of the logistics if the earlier channels are gray, (B, K, C, H, W).
        log_scale: log s of the logistics, (B, K, C, H, W).
        slope: derivatives of the means with respect to earlier channels, (B, K, C (C-1) / 2, H, W): those of channel 1,
            then of channel 2, ...
    """

    log_weights: Tensor
    location: Tensor
    log_scale: Tensor
    slope: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean image, (B, C, H, W) in [0, 1], from the means of the logistics, which are cut off at black and white."""
        channels: list[Tensor] = []  # of each component
        for i in range(self.location.shape[2]):
            channels.append(self.channel_mean(i, channels).clamp(0, 1))
        return torch.stack([(self.log_weights.exp() * channel).sum(1) for channel in channels], dim=1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute the log mass of images (B, C, H, W) with gray values k/255, summed over C, H and W, (B,), in nats."""
        channels = list(x[:, None].unbind(2))
        mean = torch.stack([self.channel_mean(i, channels[:i]) for i in range(len(channels))], dim=2)
        components = log_mass(x[:, None], mean, self.log_scale).sum(2)  # (B, K, H, W)
        return sum_per_image(torch.logsumexp(self.log_weights + components, dim=1))

    def sample(self) -> Tensor:
        """Draw images with gray values k/255, (B, C, H, W) in [0, 1]."""
        gumbel = -torch.log(-torch.log(torch.rand_like(self.log_weights).clamp(min=TINY)))
        k = (self.log_weights + gumbel).argmax(1)[:, None, None]  # (B, 1, 1, H, W)
        location, log_scale, slope = (
            values.take_along_dim(k, dim=1) for values in (self.location, self.log_scale, self.slope)
        )
        chosen = self._replace(location=location, log_scale=log_scale, slope=slope)
        channels: list[Tensor] = []  # (B, 1, H, W) each
        for i in range(location.shape[2]):
            mean = chosen.channel_mean(i, channels)
            channels.append(DiscretizedLogisticImages(mean, log_scale[:, :, i]).sample())
        return torch.cat(channels, dim=1)

    def channel_mean(self, i: int, earlier: list[Tensor]) -> Tensor:
        """Compute the means of channel i from the values of those before it, each (B, K or 1, H, W): (B, K, H, W)."""
        mean, first = self.location[:, :, i], math.comb(i, 2)
        for j, value in enumerate(earlier):
            mean = mean + self.slope[:, :, first + j] * (value - GRAY)
        return mean


class DiscretizedLogisticMixture(Likelihood):
    """Mixture of discretized logistics. Salimans et al. 2017 (PixelCNN++), sections 2.1 and 2.2.

    In each component, the mean of green depends linearly on red, that of blue on red and green. The component is the
    same for all channels of a pixel. Per component, the decoder outputs the logit of its weight, C locations (through a
    sigmoid), C values of log s relative to the initial value, and C (C-1) / 2 slopes (through tanh).

    Args:
        num_components: K.
        scale: s > 0.0001 for a decoder output of 0, in units in which black is 0 and white is 1.

    Raises:
        UserError: if the scale is too small.
    """

    eight_bit = True

    def __init__(self, *, num_components: int = 10, scale: float = 0.1) -> None:
        super().__init__()
        self.num_components = num_components
        self.scale = OffsetScale(scale, minimum=MIN_SCALE)

    def output_channels(self, channels: int) -> int:
        """Return K (1 + 2 C + C (C-1) / 2), which is K (C+1) (C+2) / 2."""
        return self.num_components * math.comb(channels + 2, 2)

    def forward(self, output: Tensor) -> DiscretizedLogisticMixtureImages:
        """Map the decoder's output (B, output_channels, H, W) to p(x|z)."""
        output = output.unflatten(1, (self.num_components, -1))
        channels = math.isqrt(2 * output.shape[2]) - 1  # the inverse of (C+1) (C+2) / 2
        logits, location, offset, slope = output.split([1, channels, channels, math.comb(channels, 2)], dim=2)
        return DiscretizedLogisticMixtureImages(
            F.log_softmax(logits.squeeze(2), dim=1), torch.sigmoid(location), self.scale(offset), torch.tanh(slope)
        )
