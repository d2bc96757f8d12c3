"""Gaussian and Laplace noise: one family, of which only the power differs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import Likelihood, sum_per_image
from vae_lightning.distributions.likelihoods.scale import OptimalScale, build_scale


@dataclass(frozen=True, eq=False)
class LocationScaleImages:
    """Independent pixels, each of density exp(−|u|ᵖ / p) / (V s) with u = (x − mean) / s, on the whole line.

    V = 2 p^(1/p) Γ(1 + 1/p): √(2π) for p = 2, the Gaussian, and 2 for p = 1, the Laplace.

    Attributes:
        mean: (B, C, H, W).
        log_scale: log s, broadcastable to it.
    """

    mean: Tensor
    log_scale: Tensor
    power: ClassVar[int]

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density of images (B, C, H, W), summed over channels and pixels: (B,), in nats."""
        p = self.power
        u = (x - self.mean) * torch.exp(-self.log_scale)
        log_v = math.log(2) + math.log(p) / p + math.lgamma(1 + 1 / p)
        return sum_per_image(-u.abs().pow(p) / p - self.log_scale - log_v)


class GaussianImages(LocationScaleImages):
    """N(mean, σ²) with σ = s."""

    power = 2


class LaplaceImages(LocationScaleImages):
    """Laplace(mean, b) with b = s."""

    power = 1


class CalibratedImages(NamedTuple):
    """Images with the one scale under which they are most likely, which is known when they are.

    Attributes:
        mean: (B, C, H, W).
        family: what they are once the scale is known.
        fit: x - mean -> log s.
    """

    mean: Tensor
    family: type[LocationScaleImages]
    fit: Callable[[Tensor], Tensor]

    def log_prob(self, x: Tensor) -> Tensor:
        """The log density of images (B, C, H, W), summed over channels and pixels: (B,), in nats."""
        return self.family(self.mean, self.fit(x - self.mean)).log_prob(x)


class LocationScale(Likelihood):
    """The sigmoid of the decoder's output = mean; the scale as `scale_type` says.

    Args:
        scale: s > 0, or where it starts when it is learned, on the range where black is 0 and white is 1.
        scale_type: who says the scale; the choices are those of `build_scale`. With `pixel` the decoder's second C channels
            are log s, counted from its start.
        image_shape: (C, H, W), needed for `scale_type="channel"` alone.

    Raises:
        UserError: see `build_scale`.
    """

    images: ClassVar[type[LocationScaleImages]]

    def __init__(self, scale: float, scale_type: str, image_shape: Sequence[int] | None) -> None:
        super().__init__()
        self.scale = build_scale(scale_type, scale, self.images.power, image_shape)
        self.values_per_pixel = 2 if scale_type == "pixel" else 1

    def forward(self, output: Tensor) -> LocationScaleImages | CalibratedImages:
        """Map the decoder's output (B, C · values_per_pixel, H, W) to p(x|z)."""
        location, *offset = output.chunk(self.values_per_pixel, dim=1)
        mean = torch.sigmoid(location)
        if self.training and isinstance(self.scale, OptimalScale):
            return CalibratedImages(mean, self.images, self.scale.fit)
        return self.images(mean, self.scale(*offset))


class Gaussian(LocationScale):
    """Normal noise. Kingma & Welling 2014, appendix C.2, where σ is that of `scale_type="pixel"`.

    Squared error is this with a fixed σ = 1/√2 ≈ 0.707, less the constant.

    Args:
        sigma: σ > 0, or where it starts when it is learned, on the range where black is 0 and white is 1.
        scale_type: who says σ, see `build_scale`.
        image_shape: (C, H, W), needed for `scale_type="channel"` alone.

    Raises:
        UserError: see `build_scale`.
    """

    images = GaussianImages

    def __init__(self, *, sigma: float, scale_type: str = "fixed", image_shape: Sequence[int] | None = None) -> None:
        super().__init__(sigma, scale_type, image_shape)


class Laplace(LocationScale):
    """Noise with heavier tails than the Gaussian's: absolute error is this with a fixed b = 1, less the constant.

    Args:
        scale: b > 0, or where it starts when it is learned, on the range where black is 0 and white is 1.
        scale_type: who says b, see `build_scale`.
        image_shape: (C, H, W), needed for `scale_type="channel"` alone.

    Raises:
        UserError: see `build_scale`.
    """

    images = LaplaceImages

    def __init__(self, *, scale: float, scale_type: str = "fixed", image_shape: Sequence[int] | None = None) -> None:
        super().__init__(scale, scale_type, image_shape)
