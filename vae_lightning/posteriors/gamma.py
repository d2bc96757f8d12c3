"""Gamma distributions, for positive latents."""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions import Posterior
from vae_lightning.distributions.posterior import noise_like, projection, promote_to_float32, sample_noise
from vae_lightning.types import LatentShape

MAX_NOISE = 7.0  # in absolute value, exceeded once in 4e11 draws; beyond, 1 - F is too coarse in double precision
HALLEY_STEPS = 2  # for a relative error of 1e-7
MIN_DRAW = 1e-30  # so that log z and its gradient 1 / z are finite in single precision
LOG_CONCENTRATION_BOUNDS = (math.log(0.1), math.log(1e4))  # for α = 0.1, about 0.1% of draws fall below MIN_DRAW
LOG_MEAN_BOUNDS = (-10.0, 10.0)


def log_quantile(concentration: Tensor, noise: Tensor) -> Tensor:
    """Compute log g where P(G <= g) = Φ(noise) for G ~ Gamma(α, 1), without a gradient.

    Halley's method solves for the log of the smaller tail, which is concave in log g. It starts from the approximation
    of Wilson & Hilferty 1931, and stays within bounds of the quantile that follow from P(G <= g) <= g^α / Γ(α + 1), the
    limit for small g, and P(G >= α + √(2αs) + s) <= exp(-s) (Boucheron et al. 2013, section 2.4).

    Args:
        concentration: α, float64 (B, D).
        noise: standard normal, float64 (B, D).
    """
    alpha, noise = concentration, noise.clamp(-MAX_NOISE, MAX_NOISE)
    log_gamma, tiny = torch.lgamma(alpha), torch.finfo(alpha.dtype).tiny
    log_lower, log_upper = torch.special.log_ndtr(noise), torch.special.log_ndtr(-noise)
    low = (log_lower + log_gamma + alpha.log()) / alpha
    high = torch.log(alpha + torch.sqrt(-2 * alpha * log_upper) - log_upper)
    cube_root = 1 - 1 / (9 * alpha) + noise / (3 * alpha.sqrt())
    t = torch.clamp(alpha.log() + 3 * cube_root.clamp_min(tiny).log(), low, high)
    is_lower = noise < 0
    log_target, sign = torch.where(is_lower, log_lower, log_upper), torch.where(is_lower, 1.0, -1.0).to(alpha)
    for _ in range(HALLEY_STEPS):
        g = torch.exp(t)
        lower = torch.special.gammainc(alpha, g)
        tail = torch.where(is_lower, lower, 1 - lower).clamp_min(tiny)
        slope = sign * torch.exp(alpha * t - g - log_gamma) / tail
        newton = (tail.log() - log_target) / slope
        t = torch.clamp(t - newton / (1 - newton * (alpha - g - slope) / 2).clamp_min(0.5), low, high)
    return t


class GammaDistribution(NamedTuple):
    """Independent gamma distributions, one vector per image of a batch.

    Densities are computed in float64, since their terms cancel for a large α.

    Attributes:
        concentration: α > 0, (B, D).
        rate: β > 0, (B, D).
    """

    concentration: Tensor
    rate: Tensor

    @property
    def mean(self) -> Tensor:
        """The means α / β, (B, D)."""
        return self.concentration / self.rate

    def repeat(self, k: int) -> "GammaDistribution":
        """Return the distributions of k·B draws, the batch k times in a row."""
        return GammaDistribution(self.concentration.repeat(k, 1), self.rate.repeat(k, 1))

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw z, (B, D), differentiable in α and β, with standard normal noise (B, D); None to draw it.

        z is the quantile at Φ(noise). Its derivative with respect to α is implicit, -(∂F/∂α) / (∂F/∂z), where F is the
        distribution function (Figurnov et al. 2018), to three digits or more, as in `torch.distributions.Gamma`.
        """
        noise = noise_like(self.rate) if noise is None else noise
        alpha = self.concentration.double()
        constant = alpha.detach()
        draw = log_quantile(constant, noise.to(constant)).exp()
        if alpha.requires_grad:
            draw = draw + torch._standard_gamma_grad(constant, draw) * (alpha - constant)
        return (draw / self.rate).clamp_min(MIN_DRAW).to(self.rate)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D); B must be 1 or n."""
        noise = sample_noise(n, self.rate.shape[1], self.rate, generator)
        return GammaDistribution(*(t.expand_as(noise) for t in self)).rsample(noise)

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), summed over latents: (B,), in nats."""
        alpha, beta, x = self.concentration.double(), self.rate.double(), z.double()
        log_prob = alpha * beta.log() - torch.lgamma(alpha) + (alpha - 1) * x.log() - beta * x
        return log_prob.sum(1).to(z.dtype)

    def kl(self, p: Any) -> Tensor | None:
        """Compute KL(q || p), (B,), in nats, if p is also a `GammaDistribution`; None otherwise."""
        if not isinstance(p, GammaDistribution):
            return None
        (alpha, beta), (alpha_p, beta_p) = (map(Tensor.double, d) for d in (self, p))
        ratio = beta_p / beta
        kl = (alpha - alpha_p) * torch.digamma(alpha) - torch.lgamma(alpha) + torch.lgamma(alpha_p)
        return (kl - alpha_p * ratio.log() + alpha * (ratio - 1)).sum(1).to(self.rate.dtype)


class Gamma(Posterior):
    """Maps features (B, F) to a `GammaDistribution`, with linear layers for log α and the log of the mean α / β.

    Naesseth et al. 2017; Figurnov et al. 2018. The two are orthogonal parameters: α determines the standard deviation
    relative to the mean, 1 / √α. Both are clamped, so that a single outlier does not make the loss infinite. Normal
    training stays inside the bounds. Outside, the gradient is 0.
    """

    support = "positive vectors"
    matching_prior = "gamma"
    lower_bound = 0.0

    def __init__(self, num_features: int, latent_shape: LatentShape) -> None:
        super().__init__()
        self.log_mean = projection(num_features, latent_shape)
        self.log_concentration = projection(num_features, latent_shape)

    def forward(self, features: Tensor) -> GammaDistribution:
        """Map features (B, F) to q(z|x)."""
        log_concentration = F.hardtanh(promote_to_float32(self.log_concentration(features)), *LOG_CONCENTRATION_BOUNDS)
        log_mean = F.hardtanh(promote_to_float32(self.log_mean(features)), *LOG_MEAN_BOUNDS)
        return GammaDistribution(log_concentration.exp(), torch.exp(log_concentration - log_mean))
