"""Log-cosh likelihood: squared error of small deviations, absolute error of large ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions.likelihoods.location_scale import LocationScale, LocationScaleImages
from vae_lightning.distributions.likelihoods.scale import SCALE_TYPES
from vae_lightning.errors import check_choice


@dataclass(frozen=True, eq=False)
class LogCoshImages(LocationScaleImages):
    """Independent pixels with density cosh(a u)^(−1/a) / (V s), u = (x − mean) / s, on the whole real line.

    V = ∫ cosh(a u)^(−1/a) du = √π / a · Γ(1/2a) / Γ(1/2a + 1/2). This is the hyperbolic secant distribution for a = 1
    (V = π), and tends to a Laplace distribution for a → ∞ (V = 2).

    Attributes:
        sharpness: a > 0.
    """

    sharpness: float
    power = 1  # of the tails

    def energy(self, u: Tensor) -> Tensor:
        """Compute log cosh(a u) / a, which does not overflow, with the shape of u."""
        v = (self.sharpness * u).abs()
        return (v + F.softplus(-2 * v) - math.log(2)) / self.sharpness

    def sample_deviation(self) -> Tensor:
        """Draw u, (B, C, H, W): sigmoid(2a u) has a Beta(1/2a, 1/2a) distribution, that of G / (G + G') of two Gammas.

        log Gamma(h) is log Gamma(h + 1) + log(uniform) / h, which does not underflow for small h = 1/2a.
        """
        half = torch.full_like(self.mean, 0.5 / self.sharpness)
        first, second = (torch.distributions.Gamma(half + 1, 1.0).sample().log() for _ in range(2))
        return (first - second) / (2 * self.sharpness) + torch.rand_like(half).log() - torch.rand_like(half).log()

    @property
    def log_volume(self) -> float:
        """Compute log V."""
        half = 0.5 / self.sharpness
        return 0.5 * math.log(math.pi) - math.log(self.sharpness) + math.lgamma(half) - math.lgamma(half + 0.5)


class LogCosh(LocationScale):
    """Log-cosh likelihood. P. Chen et al. 2019, "Log Hyperbolic Cosine Loss Improves Variational Auto-Encoder".

    Their loss of a deviation t is f(t; a) = log cosh(a t) / a, without a scale or a normalizing constant. The negative
    log density here is f(t; a/s) / s plus the constant, so the defaults give their f(t; 10), ten times.

    Args:
        scale: s > 0, or its initial value if it is learned, in units in which black is 0 and white is 1.
        sharpness: a > 0. Errors are squared below about s/a, and absolute above.
        scale_type: how s is determined, see `build_scale`; all but `optimal`, for which there is no closed form.
        image_shape: (C, H, W), required for `scale_type="channel"` only.

    Raises:
        UserError: see `build_scale`.
    """

    images = LogCoshImages

    def __init__(
        self,
        *,
        scale: float = 0.1,
        sharpness: float = 1.0,
        scale_type: str = "fixed",
        image_shape: Sequence[int] | None = None,
    ) -> None:
        choices = [choice for choice in SCALE_TYPES if choice != "optimal"]
        super().__init__(scale, check_choice("model.likelihood.scale_type", scale_type, choices), image_shape)
        self.sharpness = sharpness

    def build(self, mean: Tensor, log_scale: Tensor) -> LogCoshImages:
        """Build the distribution of images from their mean (B, C, H, W) and log s, broadcastable to it."""
        return LogCoshImages(mean, log_scale, self.sharpness)
