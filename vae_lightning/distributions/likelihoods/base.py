"""What a likelihood is."""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor, nn


class ImageDistribution(Protocol):
    """p(x|z) of a batch: a distribution over images."""

    @property
    def mean(self) -> Tensor:
        """The image to show, (B, C, H, W) in [0, 1]."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p(x|z) of images (B, C, H, W) in [0, 1], summed over channels and pixels: (B,), in nats."""


class Likelihood(nn.Module, ABC):
    """Decoder's output (B, C · values_per_pixel, H, W) -> p(x|z).

    Attributes:
        values_per_pixel: how many numbers the decoder gives for each channel of each pixel. Where there are two, the
            first C channels of its output are the first numbers, the last C the second.
        eight_bit: whether log_prob is a probability of 8-bit images, so that bits per dimension mean something.
    """

    values_per_pixel: int = 1
    eight_bit: ClassVar[bool] = False

    @abstractmethod
    def forward(self, output: Tensor) -> ImageDistribution:
        """Map the decoder's output (B, C · values_per_pixel, H, W) to p(x|z)."""


def sum_per_image(log_p: Tensor) -> Tensor:
    """The sum over channels and pixels of (B, C, H, W): (B,)."""
    return log_p.flatten(1).sum(1)
