"""Gaussian and Laplace likelihoods, which differ only in a power."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import IndependentPixels, Likelihood
from vae_lightning.distributions.likelihoods.scale import OptimalScale, build_scale


@dataclass(frozen=True, eq=False)
class LocationScaleImages(IndependentPixels):
    """Independent pixels with density exp(−|u|ᵖ / p) / (V s), u = (x − mean) / s, on the whole real line.

    V = 2 p^(1/p) Γ(1 + 1/p) is √(2π) for p = 2 (Gaussian) and 2 for p = 1 (Laplace).

    Attributes:
        mean: mean image, (B, C, H, W).
        log_scale: log s, broadcastable to the mean.
    """

    mean: Tensor
    log_scale: Tensor
    power: ClassVar[int]

    def pixel_log_prob(self, x: Tensor) -> Tensor:
        """Compute the log density of each value of images (B, C, H, W), in nats."""
        u = (x - self.mean) * torch.exp(-self.log_scale)
        return -self.energy(u) - self.log_scale - self.log_volume

    def energy(self, u: Tensor) -> Tensor:
        """Compute the negative log density of u, less the constant, with the shape of u."""
        return u.abs().pow(self.power) / self.power

    @property
    def log_volume(self) -> float:
        """Compute log V, the log integral of exp(-energy)."""
        p = self.power
        return math.log(2) + math.log(p) / p + math.lgamma(1 + 1 / p)

    def sample(self) -> Tensor:
        """Draw images, (B, C, H, W)."""
        return self.mean + torch.exp(self.log_scale) * self.sample_deviation()

    def sample_deviation(self) -> Tensor:
        """Draw u, (B, C, H, W): |u|ᵖ / p has a Gamma(1/p) distribution."""
        p = self.power
        size = torch.distributions.Gamma(torch.full_like(self.mean, 1 / p), 1.0).sample()
        return (p * size).pow(1 / p) * (2 * torch.bernoulli(torch.full_like(size, 0.5)) - 1)


class GaussianImages(LocationScaleImages):
    """Gaussian pixels N(mean, σ²) with σ = s."""

    power = 2


class LaplaceImages(LocationScaleImages):
    """Laplace pixels Laplace(mean, b) with b = s."""

    power = 1


class CalibratedImages(NamedTuple):
    """Distribution whose scale is the most likely one for the images that it is evaluated on.

    Attributes:
        mean: mean image, (B, C, H, W).
        family: the class of the distribution with a known scale.
        fit: function that maps x - mean to log s.
    """

    mean: Tensor
    family: type[LocationScaleImages]
    fit: Callable[[Tensor], Tensor]

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute the log density of images (B, C, H, W), summed over channels and pixels, (B,), in nats."""
        return self.family(self.mean, self.fit(x - self.mean)).log_prob(x)


class LocationScale(Likelihood):
    """Base class. The decoder outputs the mean, through a sigmoid; `scale_type` selects how the scale is determined.

    Args:
        scale: s > 0, or its initial value if it is learned, in units in which black is 0 and white is 1.
        scale_type: see `build_scale`. With `pixel`, the last C channels of the decoder's output are log s
            relative to its initial value.
        image_shape: (C, H, W), required for `scale_type="channel"` only.

    Raises:
        UserError: see `build_scale`.
    """

    images: ClassVar[type[LocationScaleImages]]

    def __init__(self, scale: float, scale_type: str, image_shape: Sequence[int] | None) -> None:
        super().__init__()
        self.scale = build_scale(scale_type, scale, self.images.power, image_shape)
        self.values_per_pixel = 2 if scale_type == "pixel" else 1
        self.fits_batch = isinstance(self.scale, OptimalScale)

    def forward(self, output: Tensor) -> LocationScaleImages | CalibratedImages:
        """Map the decoder's output (B, C · values_per_pixel, H, W) to p(x|z)."""
        location, *offset = output.chunk(self.values_per_pixel, dim=1)
        mean = torch.sigmoid(location)
        if self.training and isinstance(self.scale, OptimalScale):
            return CalibratedImages(mean, self.images, self.scale.fit)
        return self.build(mean, self.scale(*offset))

    def build(self, mean: Tensor, log_scale: Tensor) -> LocationScaleImages:
        """Build the distribution of images from their mean (B, C, H, W) and log s, broadcastable to it."""
        return self.images(mean, log_scale)


class Gaussian(LocationScale):
    """Gaussian likelihood. Kingma & Welling 2014, appendix C.2, which corresponds to `scale_type="pixel"`.

    With a fixed σ = 1/√2 ≈ 0.707, the negative log density is the squared error plus a constant.

    Args:
        sigma: σ > 0, or its initial value if it is learned, in units in which black is 0 and white is 1.
        scale_type: how σ is determined, see `build_scale`.
        image_shape: (C, H, W), required for `scale_type="channel"` only.

    Raises:
        UserError: see `build_scale`.
    """

    images = GaussianImages

    def __init__(
        self, *, sigma: float = 0.1, scale_type: str = "fixed", image_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__(sigma, scale_type, image_shape)


class Laplace(LocationScale):
    """Laplace likelihood, whose tails are heavier than those of the Gaussian.

    With a fixed b = 1, the negative log density is the absolute error plus a constant.

    Args:
        scale: b > 0, or its initial value if it is learned, in units in which black is 0 and white is 1.
        scale_type: how b is determined, see `build_scale`.
        image_shape: (C, H, W), required for `scale_type="channel"` only.

    Raises:
        UserError: see `build_scale`.
    """

    images = LaplaceImages

    def __init__(
        self, *, scale: float = 0.1, scale_type: str = "fixed", image_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__(scale, scale_type, image_shape)
