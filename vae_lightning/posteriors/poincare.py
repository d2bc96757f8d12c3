"""Wrapped normal distributions on the Poincaré ball."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior, Posterior
from vae_lightning.posteriors.shapes import vector_dim
from vae_lightning.types import LatentShape


def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Add points of the ball with curvature -c, (B, D). Ganea et al. 2018, Eq. 4."""
    xy, xx, yy = (t.sum(1, keepdim=True) for t in (x * y, x * x, y * y))
    return ((1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * xy + c**2 * xx * yy)


def norm(v: Tensor) -> Tensor:
    """Compute the length of v (B, D), (B, 1), with a finite gradient at 0."""
    return v.square().sum(1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny).sqrt()


def exp_origin(v: Tensor, c: float) -> Tensor:
    """Map tangent vectors v (B, D) at the origin to the ball. The length of v is the distance to the origin."""
    r = math.sqrt(c) * norm(v)
    return torch.tanh(r / 2) / r * v


def log_origin(z: Tensor, c: float) -> Tensor:
    """Map points z (B, D) of the ball to tangent vectors at the origin, the inverse of `exp_origin`."""
    r = math.sqrt(c) * norm(z)
    return 2 * torch.atanh(r.clamp_max(1 - 4 * torch.finfo(z.dtype).eps)) / r * z


class WrappedNormal:
    """q(z|x) of z = exp_μ(v) with v ~ N(0, diag(σ²)). Mathieu et al. 2019, section 3.2.

    v is in orthonormal coordinates of the tangent space at μ: its length is the distance from μ to z. The density is
    with respect to the volume of the ball's metric. Rounding limits distances from the origin to 15 / √c in single
    precision.

    Args:
        mu: points of the ball, (B, D).
        logvar: log σ², (B, D).
        curvature: c > 0; the ball has the curvature -c and the radius 1 / √c.
    """

    def __init__(self, mu: Tensor, logvar: Tensor, curvature: float) -> None:
        self.mu, self.curvature = mu, curvature
        self.tangent = DiagonalGaussian(torch.zeros_like(logvar), logvar)
        self.last_draw: tuple[Tensor, Tensor] | None = None  # z and v

    @property
    def mean(self) -> Tensor:
        """The centers μ, (B, D)."""
        return self.mu

    def repeat(self, k: int) -> "WrappedNormal":
        """Return the distributions of k·B draws, the batch k times in a row."""
        return WrappedNormal(self.mu.repeat(k, 1), self.tangent.logvar.repeat(k, 1), self.curvature)

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw points z, (B, D), with noise (B, D), or None to draw it from N(0, I)."""
        v = self.tangent.rsample(noise)
        z = mobius_add(self.mu, exp_origin(v, self.curvature), self.curvature)
        self.last_draw = z, v
        return z

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n points, (n, D); B must be 1 or n."""
        v = self.tangent.sample(n, generator)
        return mobius_add(self.mu, exp_origin(v, self.curvature), self.curvature)

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats."""
        if self.last_draw is not None and z is self.last_draw[0]:
            v = self.last_draw[1]
        else:
            v = log_origin(mobius_add(-self.mu, z, self.curvature), self.curvature)
        r = (math.sqrt(self.curvature) * norm(v)).squeeze(1).clamp_min(1e-4)  # where r / sinh(r) rounds to 1
        log_sinh = r + torch.log(-torch.expm1(-2 * r)) - math.log(2)  # accurate for small r, unlike log1p(-exp(-2r))
        return self.tangent.log_prob(v) + (z.shape[1] - 1) * (r.log() - log_sinh)

    def kl(self, p: Any) -> None:
        """Return None, since the KL has no closed form."""


class PoincareBall(Posterior):
    """Maps features (B, F) to a `WrappedNormal` on the Poincaré ball. Mathieu et al. 2019.

    The center is the exponential map at the origin of a linear layer. The decoder receives the coordinates of z.

    Args:
        num_features: F.
        latent_shape: D.
        curvature: c > 0; the ball has the curvature -c. With a large one, centers reach the distance 15 / √c, beyond
            which log p(z) is constant, at a rate of few nats.

    Raises:
        UserError: if the latents form a map.
    """

    support = "points of the Poincaré ball"
    matching_prior = "wrapped_normal"

    def __init__(self, num_features: int, latent_shape: LatentShape, *, curvature: float = 1.0) -> None:
        super().__init__()
        self.curvature = curvature
        self.base = GaussianPosterior(num_features, vector_dim(latent_shape, "poincare"))

    def forward(self, features: Tensor) -> WrappedNormal:
        """Map features (B, F) to q(z|x)."""
        mu, logvar = self.base(features)
        return WrappedNormal(exp_origin(mu, self.curvature), logvar, self.curvature)
