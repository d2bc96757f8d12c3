"""Posteriors q(z|x), which map the encoder's features to a distribution over latents."""

import math
from abc import ABC
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows
from vae_lightning.types import LatentShape

LOG_2PI = math.log(2 * math.pi)
LOGVAR_BOUNDS = (-30.0, 20.0)  # σ from 3e-7 to 2e4, with exp(±logvar) well inside single precision
# A latent is active if the variance of its posterior mean over images exceeds this. Burda et al. 2016, section 5.2.
ACTIVE_UNIT_VARIANCE = 0.01


def sample_noise(n: int, dim: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw n rows from N(0, I), (n, dim), on the CPU, so that samples are the same on all devices.

    Args:
        n: number of rows of this process.
        dim: number of columns.
        like: a tensor with the type and on the device of the result.
        generator: for reproducible noise.
    """
    noise = local_rows(torch.randn(global_batch_size(n), dim, generator=generator))
    return noise.to(like, non_blocking=like.is_cuda)  # otherwise the host would wait for the GPU


def noise_like(x: Tensor) -> Tensor:
    """Draw this process's rows of standard normal noise for the global batch, of the shape of x (B, ...)."""
    return local_rows(torch.randn(global_batch_size(len(x)), *x.shape[1:], dtype=x.dtype, device=x.device))


class DiagonalGaussian(NamedTuple):
    """Gaussians N(mu, diag(exp(logvar))), one per image of a batch.

    Attributes:
        mu: means, (B, D).
        logvar: log σ², (B, D).
    """

    mu: Tensor
    logvar: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the distribution, (B, D)."""
        return self.mu

    def repeat(self, k: int) -> "DiagonalGaussian":
        """Return the Gaussians of k·B draws, the batch k times in a row."""
        return self if k == 1 else DiagonalGaussian(self.mu.repeat(k, 1), self.logvar.repeat(k, 1))

    def split(self, sizes: list[int]) -> list["DiagonalGaussian"]:
        """Split the latents into groups of some sizes."""
        return [DiagonalGaussian(*part) for part in zip(*(t.split(sizes, dim=1) for t in self), strict=True)]

    def detach(self) -> "DiagonalGaussian":
        """Return the same Gaussians, whose parameters have no gradient."""
        return DiagonalGaussian(self.mu.detach(), self.logvar.detach())

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw z = mu + σ·ε, (B, D), differentiable in mu and logvar. vae-cvae-mnist, Eq. 24.

        Args:
            noise: ε, (B, D); None to draw it from N(0, I).
        """
        noise = noise_like(self.mu) if noise is None else noise
        return self.mu + torch.exp(0.5 * self.logvar) * noise

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D); B must be 1 or n."""
        return self.mu + torch.exp(0.5 * self.logvar) * sample_noise(n, self.mu.shape[1], self.mu, generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), summed over latents: (B,), in nats."""
        squared = (z - self.mu).square() * torch.exp(-self.logvar)
        return -0.5 * (squared + self.logvar + LOG_2PI).sum(-1)

    def kl(self, p: Any) -> Tensor | None:
        """Compute KL(q || p), (B,), in nats, if p is also a `DiagonalGaussian`; None otherwise."""
        return kl_per_latent(self, p).sum(1) if isinstance(p, DiagonalGaussian) else None


class StandardGaussian(DiagonalGaussian):
    """N(0, I), where mu and logvar are zeros, (1, D). Formulas may take a shortcut for it."""


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute KL(N(mu, σ²) || N(0, 1)) of each latent in nats, ½ (mu² + σ² - log σ² - 1). vae-cvae-mnist, Eq. 17.

    Its derivatives are mu with respect to mu (Eq. 22) and σ - 1/σ with respect to σ (Eq. 23).

    >>> gaussian_kl(torch.tensor([0.0, 1.0]), torch.zeros(2))
    tensor([0.0000, 0.5000])

    Args:
        mu: means, of any shape.
        logvar: log σ², of the same shape.

    Returns:
        One divergence per latent, of the same shape. Their sum over the last dimension is that of the whole code.
    """
    return 0.5 * (mu.square() + torch.exp(logvar) - logvar - 1)


def kl_per_latent(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """Compute KL(q || p) of each latent, (B, D), in nats."""
    if isinstance(p, StandardGaussian):  # exactly equal, and faster
        return gaussian_kl(q.mu, q.logvar)
    return gaussian_kl(standardized_mean(q, p), q.logvar - p.logvar)


def standardized_mean(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """Return (mean of q - mean of p) / σ of p, (B, D)."""
    return (q.mu - p.mu) * torch.exp(-0.5 * p.logvar)


class DeltaDistribution(NamedTuple):
    """All mass on one point: the deterministic "posterior" of an autoencoder.

    Attributes:
        mu: codes, (B, D).
    """

    mu: Tensor

    @property
    def mean(self) -> Tensor:
        """The codes, (B, D)."""
        return self.mu

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return the codes, (B, D)."""
        return self.mu


def projection(num_features: int, latent_shape: LatentShape) -> nn.Module:
    """Return the linear layer from features (B, F) to latents (B, D), for a map at each of its positions."""
    if isinstance(latent_shape, int):
        return nn.Linear(num_features, latent_shape)
    return nn.Sequential(nn.Conv2d(num_features, latent_shape[0], 1), nn.Flatten())


def precision_weighted(a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
    """Return the normalized product of two Gaussians. Sønderby et al. 2016, Eqs. 17 and 18."""
    weight = torch.sigmoid(b.logvar - a.logvar)  # precision of a, relative to that of both
    return DiagonalGaussian(weight * a.mu + (1 - weight) * b.mu, -torch.logaddexp(-a.logvar, -b.logvar))


class Posterior(nn.Module, ABC):
    """Base class of modules that map features (B, F) or (B, F, h, w) to q(z|x).

    The distribution has the property `mean` and the method `rsample(noise)`. With a density, it also has `log_prob(z)`,
    `repeat(k)`, and `kl(p)`, which returns None for a prior to which the KL has no closed form.

    Attributes:
        has_density: whether the distribution has a density, which a KL and importance weights require.
        factorizes: whether it is a `DiagonalGaussian` that depends on x only, so that each latent has a known density.
        support: the set of all z, which must be that of the prior.
        lower_bound: of the latents in it, at which traversals end.
        upper_bound: likewise.
        matching_prior: a choice of model/prior with this support; None if there is none.
    """

    has_density: ClassVar[bool] = True
    factorizes: ClassVar[bool] = False
    support: ClassVar[str] = "vectors"
    lower_bound: ClassVar[float] = -math.inf
    upper_bound: ClassVar[float] = math.inf
    matching_prior: ClassVar[str | None] = None

    def suggest_prior(self) -> str:
        """Return a sentence with a prior of the same support, for messages."""
        choice = "standard_normal" if self.support == Posterior.support else self.matching_prior
        return f"Set model/prior={choice}." if choice else f"Use a prior with support = {self.support!r}."


class GaussianPosterior(Posterior):
    """Maps features (B, F) to a `DiagonalGaussian`, with linear layers for mu and log σ² (vae-cvae-mnist, Table 1).

    log σ² is clamped to `LOGVAR_BOUNDS`, so that a single outlier does not make the loss infinite. Normal training
    stays inside the bounds, where values and gradients are unchanged to the last bit. Outside, the gradient is 0.
    """

    factorizes = True

    def __init__(self, num_features: int, latent_shape: LatentShape) -> None:
        super().__init__()
        self.mu = projection(num_features, latent_shape)
        self.logvar = projection(num_features, latent_shape)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        """Map features (B, F) to q(z|x)."""
        logvar = F.hardtanh(promote_to_float32(self.logvar(features)), *LOGVAR_BOUNDS)  # a clamp with a faster backward
        return DiagonalGaussian(promote_to_float32(self.mu(features)), logvar)


class DeltaPosterior(Posterior):
    """Maps features (B, F) to a `DeltaDistribution` with a linear layer and an activation.

    kingma-welling-replication, appendix A.2.

    Args:
        num_features: F.
        latent_shape: D, or the shape of a map.
        activation: name of the `torch.nn` module that is applied to the code. A bounded code could not have the
            distribution N(0, I).
    """

    has_density = False

    def __init__(self, num_features: int, latent_shape: LatentShape, activation: str = "Identity") -> None:
        super().__init__()
        self.code = nn.Sequential(projection(num_features, latent_shape), getattr(nn, activation)())

    def forward(self, features: Tensor) -> DeltaDistribution:
        """Map features (B, F) to codes (B, D)."""
        return DeltaDistribution(promote_to_float32(self.code(features)))


def promote_to_float32(x: Tensor) -> Tensor:
    """Promote half to single precision, which sums of log densities need. Double precision stays double."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
