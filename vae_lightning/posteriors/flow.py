"""Normalizing flows: a Gaussian mapped by a sequence of invertible transforms."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian


class Transform(Protocol):
    """An invertible map of latents, one per image of a batch."""

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map z (B, D); return the result and the log determinant of the map, (B,)."""

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Invert the map at z (B, D); return the result and the log determinant of the map there, (B,)."""

    def repeat(self, k: int) -> "Transform":
        """Return the maps of k·B draws, the batch k times in a row."""


class FlowDistribution:
    """q(z|x) of z = f_T(... f_1(z_0)) with z_0 ~ N(mu, diag(σ²)). Rezende & Mohamed 2015, section 3.

    A draw comes with its density, which is kept for `log_prob` of the last draw. That of any other z requires the
    inverse.

    Args:
        base: the Gaussian, (B, D).
        transforms: f_1, ..., f_T.
    """

    def __init__(self, base: DiagonalGaussian, transforms: Sequence[Transform]) -> None:
        self.base, self.transforms = base, transforms
        self.last_draw: tuple[Tensor, Tensor] | None = None  # z and its log density

    @property
    def mean(self) -> Tensor:
        """Image of the Gaussian's mean, (B, D), since the mean of the distribution has no closed form."""
        return self.transform(self.base.mu)[0]

    def repeat(self, k: int) -> "FlowDistribution":
        """Return the distributions of k·B draws, the batch k times in a row."""
        return FlowDistribution(self.base.repeat(k), [transform.repeat(k) for transform in self.transforms])

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw z, (B, D), with noise (B, D) of the Gaussian, or None to draw it."""
        start = self.base.rsample(noise)
        z, log_det = self.transform(start)
        self.last_draw = z, self.base.log_prob(start) - log_det
        return z

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats."""
        if self.last_draw is not None and z is self.last_draw[0]:
            return self.last_draw[1]
        total = z.new_zeros(z.shape[0])
        with torch.autocast(z.device.type, enabled=False):
            for transform in reversed(self.transforms):
                z, log_det = transform.inverse(z)
                total = total + log_det
        return self.base.log_prob(z) - total

    def kl(self, p: Any) -> None:
        """Return None, since the KL has no closed form."""

    def transform(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents of the Gaussian, (B, D); return the result and the log determinant of the map, (B,)."""
        total = z.new_zeros(z.shape[0])
        with torch.autocast(z.device.type, enabled=False):
            for transform in self.transforms:
                z, log_det = transform.forward(z)
                total = total + log_det
        return z, total
