"""Likelihood interface."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, TypeVar

from torch import Tensor, nn

from vae_lightning.config.serialization import Configurable

T = TypeVar("T", float, Tensor)


class ImageDistribution(Protocol):
    """Distribution p(x|z) over the images of a batch."""

    @property
    def mean(self) -> Tensor:
        """Mean image, (B, C, H, W) in [0, 1]."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x|z) of images (B, C, H, W) in [0, 1], summed over channels and pixels, (B,), in nats."""


class IndependentPixels(ABC):
    """Base class of distributions whose pixels are independent given z, so some of them may be missing."""

    @abstractmethod
    def pixel_log_prob(self, x: Tensor) -> Tensor:
        """Compute the log probability or density of each value of images (B, C, H, W) in [0, 1], in nats."""

    @abstractmethod
    def sample(self) -> Tensor:
        """Draw images from p(x|z), (B, C, H, W). Those of a Gaussian or Laplace may lie outside [0, 1]."""

    def log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute log p(x|z) of images (B, C, H, W) in [0, 1], summed over channels and pixels, (B,), in nats.

        Args:
            x: images.
            mask: whether each value is observed, bool (B, C, H, W); the sum is over these only. By default all.
        """
        log_p = self.pixel_log_prob(x)
        return sum_per_image(log_p if mask is None else log_p.where(mask, 0))


class Likelihood(Configurable, nn.Module, ABC):
    """Maps the decoder's output (B, output_channels, H, W) to p(x|z).

    Attributes:
        values_per_pixel: number of values that the decoder outputs per pixel and channel. If there are two, the first C
            channels of its output are the first values, and the last C channels the second. A likelihood whose channels
            share values overrides `output_channels` instead.
        fits_batch: whether training fits a parameter to all images of each batch.
        eight_bit: whether `log_prob` is the log probability of 8-bit images, for which bits per dimension are defined.
        is_autoregressive: whether pixels depend on each other given z, so that images are drawn pixel by pixel.
    """

    values_per_pixel: int = 1
    fits_batch: bool = False
    eight_bit: bool = False
    is_autoregressive: ClassVar[bool] = False

    def output_channels(self, channels: int) -> int:
        """Return the number of channels that the decoder outputs for images with C channels."""
        return channels * self.values_per_pixel

    @abstractmethod
    def forward(self, output: Tensor) -> ImageDistribution:
        """Map the decoder's output (B, output_channels, H, W) to p(x|z)."""


def bits_per_dim(nats: T, image_shape: tuple[int, ...]) -> T:
    """Convert nats per image to bits per value of the image.

    Args:
        nats: nats per image, a number or a tensor.
        image_shape: (C, H, W).

    Returns:
        nats / (C · H · W · log 2), of the same type and shape.
    """
    return nats / (math.prod(image_shape) * math.log(2))


def sum_per_image(log_p: Tensor) -> Tensor:
    """Sum log probabilities (B, C, H, W) over channels and pixels, (B,)."""
    return log_p.flatten(1).sum(1)
