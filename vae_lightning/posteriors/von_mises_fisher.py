"""Von Mises-Fisher distributions, on the unit sphere."""

import math
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions import Posterior
from vae_lightning.distributions.posterior import noise_like, promote_to_float32, sample_noise
from vae_lightning.posteriors.shapes import vector_dim
from vae_lightning.types import LatentShape

NUM_NODES = 513  # of the integrals over the cosine
LOG_TAIL = 25.0  # the density at the ends of the grid is e^-25 of its maximum
NEWTON_STEPS = 3
MIN_CONCENTRATION = 1.0  # as in the code of the paper: a mean direction is undefined at 0


def log_sphere_area(dim: int) -> float:
    """Compute the log area of the unit sphere in R^dim, log 2π^(dim/2) / Γ(dim/2).

    >>> round(math.exp(log_sphere_area(3)) / math.pi, 6)
    4.0
    """
    return math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)


class CosineTable:
    """The cosine w between a draw and the mean direction, with density ∝ exp(κw) (1 - w²)^((D-3)/2), on a grid.

    In x = atanh(w) the density is smooth, without boundaries, and of a width that depends on D only. So sums over an
    even grid are exact up to rounding, for any κ and D, and Bessel functions are not needed. All results are
    differentiable in κ; the grid is a constant.

    Args:
        concentration: κ, (B,).
        dim: D >= 2.
    """

    def __init__(self, concentration: Tensor, dim: int) -> None:
        self.kappa, self.dim = concentration[:, None], dim
        with torch.no_grad():
            ratio = torch.asinh((dim - 1) / (2 * self.kappa))
            mode = 0.5 * (torch.log1p(torch.exp(-ratio)) - torch.log(-torch.expm1(-ratio)))
            half_width = math.acosh(math.exp(LOG_TAIL / (dim - 1)))  # for the density with κ = 0; others are narrower
            offsets = torch.linspace(-half_width, half_width, NUM_NODES, dtype=mode.dtype, device=mode.device)
            self.x = mode + offsets  # (B, N)
        self.step = 2 * half_width / (NUM_NODES - 1)
        log_density = self.log_density(self.x)
        self.log_integral = torch.logsumexp(log_density, dim=1) + math.log(self.step)  # (B,)
        self.density = torch.softmax(log_density, dim=1) / self.step  # of the nodes, (B, N)

    def log_density(self, x: Tensor) -> Tensor:
        """Compute κ(w - 1) + (D-1)/2 log(1 - w²), which is the log density of x (B, N) up to a constant."""
        log_cosh = x.abs() + F.softplus(-2 * x.abs()) - math.log(2)
        return -self.kappa * one_minus_tanh(x) - (self.dim - 1) * log_cosh

    def slope(self, x: Tensor) -> Tensor:
        """Compute the derivative of the log density, (B, N)."""
        return self.kappa / torch.cosh(x).square() - (self.dim - 1) * torch.tanh(x)

    @property
    def mean_one_minus_w(self) -> Tensor:
        """E[1 - w], (B,)."""
        return (self.density * one_minus_tanh(self.x)).sum(1) * self.step

    def quantile(self, u: Tensor) -> Tensor:
        """Compute x = atanh(w) at the quantiles u in (0, 1), (B,).

        Newton's method inverts the distribution function, which is integrated from the nearest node on the left. Both
        integrals include the derivatives at the ends (Hermite's rule), so their errors are of the order step⁴. The last
        step gives x the gradient of the inverse.
        """
        u, h = u[:, None], self.step
        derivative = self.density * self.slope(self.x)
        masses = h / 2 * (self.density[:, 1:] + self.density[:, :-1])
        masses = masses + h**2 / 12 * (derivative[:, :-1] - derivative[:, 1:])
        cumulative = F.pad(torch.cumsum(masses, dim=1), (1, 0))  # (B, N)
        cell = (torch.searchsorted(cumulative.detach(), u.contiguous()) - 1).clamp(0, NUM_NODES - 2)
        left, start, density, slope = (t.gather(1, cell) for t in (self.x, cumulative, self.density, derivative))
        log_norm = self.log_integral[:, None]

        def newton_step(x: Tensor) -> Tensor:
            d, f = x - left, torch.exp(self.log_density(x) - log_norm)
            integral = start + d / 2 * (density + f) + d**2 / 12 * (slope - f * self.slope(x))
            return x - (integral - u) / f

        x = left + h / 2
        with torch.no_grad():
            for _ in range(NEWTON_STEPS):
                x = torch.minimum(torch.maximum(newton_step(x), left), left + h)
        return newton_step(x).squeeze(1)


def one_minus_tanh(x: Tensor) -> Tensor:
    """Compute 1 - tanh(x) without cancellation."""
    return 2 * torch.sigmoid(-2 * x)


class UniformOnSphere(NamedTuple):
    """The uniform distribution on the unit sphere.

    Attributes:
        zeros: (1, D), for the dimension, the type and the device.
    """

    zeros: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of unit vectors z (B, D) with respect to area, (B,), in nats."""
        return z.new_full((len(z),), -log_sphere_area(z.shape[1]))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n unit vectors, (n, D)."""
        return F.normalize(sample_noise(n, self.zeros.shape[1], self.zeros, generator), dim=1)


class VonMisesFisherDistribution:
    """q(z|x) ∝ exp(κ μᵀz) for unit vectors z, one per image of a batch. Densities are with respect to area.

    Args:
        mu: mean directions, (B, D), of length 1.
        concentration: κ > 0, (B,).
    """

    def __init__(self, mu: Tensor, concentration: Tensor) -> None:
        self.mu, self.concentration = mu, concentration

    @property
    def mean(self) -> Tensor:
        """Mean direction, (B, D)."""
        return self.mu

    @cached_property
    def table(self) -> CosineTable:
        """The distribution of the cosine between z and mu."""
        return CosineTable(self.concentration, self.mu.shape[1])

    def repeat(self, k: int) -> "VonMisesFisherDistribution":
        """Return the distributions of k·B draws, the batch k times in a row."""
        return VonMisesFisherDistribution(self.mu.repeat(k, 1), self.concentration.repeat(k))

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw unit vectors z, (B, D), differentiable in mu and κ, with standard normal noise (B, D); None to draw it.

        The first column of the noise becomes the cosine, by the inverse of its distribution function. The others
        become the direction of z orthogonal to mu.
        """
        noise = noise_like(self.mu) if noise is None else noise.to(self.mu)
        eps = torch.finfo(noise.dtype).eps
        x = self.table.quantile(torch.special.ndtr(noise[:, 0]).clamp(eps, 1 - eps))
        tangent = F.normalize(noise[:, 1:], dim=1) / torch.cosh(x)[:, None]
        return reflect(torch.cat([torch.tanh(x)[:, None], tangent], dim=1), self.mu)

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of unit vectors z (B, D), (B,), in nats."""
        one_minus_w = (z - self.mu).square().sum(1) / 2  # more precise than 1 - μᵀz
        return -self.concentration * one_minus_w - self.table.log_integral - log_sphere_area(z.shape[1] - 1)

    def kl(self, p: Any) -> Tensor | None:
        """Compute KL(q || p), (B,), in nats, if p is uniform; None otherwise. Davidson et al. 2018, Eq. 14."""
        if not isinstance(p, UniformOnSphere):
            return None
        table, dim = self.table, self.mu.shape[1]
        entropy = self.concentration * table.mean_one_minus_w + table.log_integral + log_sphere_area(dim - 1)
        return log_sphere_area(dim) - entropy


def reflect(z: Tensor, mu: Tensor) -> Tensor:
    """Apply an orthogonal map to z (B, D) that maps the first axis e to the unit vectors mu (B, D).

    Of the two Householder reflections, of e to mu and to -mu, the one of the vectors further apart has no cancellation.
    """
    sign = torch.where(mu[:, :1] < 0, -1.0, 1.0).to(mu)
    axis = sign * mu + F.one_hot(torch.zeros(len(mu), dtype=torch.int64, device=mu.device), mu.shape[1])
    return sign * (axis * (axis * z).sum(1, keepdim=True) / (1 + mu[:, :1].abs()) - z)


class VonMisesFisher(Posterior):
    """Maps features (B, F) to a `VonMisesFisherDistribution`. Davidson et al. 2018.

    κ is at least 1, as in the code of the paper.

    Args:
        num_features: F.
        latent_shape: D, the number of coordinates; the sphere has one dimension less.

    Raises:
        UserError: if the latents form a map, or there is only one.
    """

    support = "unit vectors"
    matching_prior = "uniform_sphere"

    def __init__(self, num_features: int, latent_shape: LatentShape) -> None:
        super().__init__()
        self.mu = nn.Linear(num_features, vector_dim(latent_shape, "von_mises_fisher", smallest=2))
        self.concentration = nn.Linear(num_features, 1)

    def forward(self, features: Tensor) -> VonMisesFisherDistribution:
        """Map features (B, F) to q(z|x)."""
        concentration = MIN_CONCENTRATION + F.softplus(promote_to_float32(self.concentration(features)).squeeze(1))
        return VonMisesFisherDistribution(F.normalize(promote_to_float32(self.mu(features)), dim=1), concentration)
