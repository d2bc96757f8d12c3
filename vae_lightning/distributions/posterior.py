"""Posteriors q(z|x), which map the encoder's features to a distribution over latents."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows

LOG_2PI = math.log(2 * math.pi)
LOGVAR_BOUNDS = (-30.0, 20.0)  # σ from 3e-7 to 2e4, with exp(±logvar) well inside single precision
ACTIVE_UNIT_VARIANCE = (
    0.01  # of the posterior mean over images, above which a latent is active (Burda et al. 2016, section 5.2)
)


class DiagonalGaussian(NamedTuple):
    """N(mu, diag(exp(logvar))), one per image of a batch.

    Attributes:
        mu: (B, D).
        logvar: (B, D), log σ².
    """

    mu: Tensor
    logvar: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean, (B, D)."""
        return self.mu

    def rsample(self) -> Tensor:
        """Sample z = mu + σ·ε with ε ~ N(0, I), (B, D), with a gradient. vae-cvae-mnist, Eq. 24."""
        noise = torch.randn(
            global_batch_size(len(self.mu)), self.mu.shape[1], dtype=self.mu.dtype, device=self.mu.device
        )
        return self.mu + torch.exp(0.5 * self.logvar) * local_rows(noise)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Sample n latents, (n, D), where B is 1 or n. The noise is drawn on the CPU, the same for all devices."""
        noise = local_rows(torch.randn(global_batch_size(n), self.mu.shape[1], generator=generator)).to(self.mu)
        return self.mu + torch.exp(0.5 * self.logvar) * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), summed over latents: (B,), in nats."""
        squared = (z - self.mu).square() * torch.exp(-self.logvar)
        return -0.5 * (squared + self.logvar + LOG_2PI).sum(-1)


class StandardGaussian(DiagonalGaussian):
    """N(0, I), with mu and logvar zero, (1, D), which formulas may skip."""


class DeltaDistribution(NamedTuple):
    """All mass on one point: the deterministic "posterior" of an autoencoder.

    Attributes:
        mu: (B, D).
    """

    mu: Tensor

    @property
    def mean(self) -> Tensor:
        """The code, (B, D)."""
        return self.mu

    def rsample(self) -> Tensor:
        """Return the code, (B, D)."""
        return self.mu


class GaussianPosterior(nn.Module):
    """Maps features (B, F) to a `DiagonalGaussian`, with linear layers for mu and log σ² (vae-cvae-mnist, Table 1).

    log σ² is clamped to `LOGVAR_BOUNDS`, so a single outlier does not make the loss infinite. Inside the bounds, which
    normal training does not leave, neither value nor gradient changes by a bit. Outside, the gradient is 0.
    """

    def __init__(self, num_features: int, latent_dim: int) -> None:
        super().__init__()
        self.mu = nn.Linear(num_features, latent_dim)
        self.logvar = nn.Linear(num_features, latent_dim)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        """Map features (B, F) to q(z|x)."""
        logvar = F.hardtanh(promote_to_float32(self.logvar(features)), *LOGVAR_BOUNDS)  # clamp with a faster gradient
        return DiagonalGaussian(promote_to_float32(self.mu(features)), logvar)


class DeltaPosterior(nn.Module):
    """Maps features (B, F) to a `DeltaDistribution`, by a linear layer and an activation.

    kingma-welling-replication, appendix A.2.

    Args:
        num_features: F.
        latent_dim: D.
        activation: name of a `torch.nn` module that bounds the code, `Identity` for none.
    """

    def __init__(self, num_features: int, latent_dim: int, activation: str) -> None:
        super().__init__()
        self.code = nn.Sequential(nn.Linear(num_features, latent_dim), getattr(nn, activation)())

    def forward(self, features: Tensor) -> DeltaDistribution:
        """Map features (B, F) to a code (B, D)."""
        return DeltaDistribution(promote_to_float32(self.code(features)))


def promote_to_float32(x: Tensor) -> Tensor:
    """Promote half to single precision, which sums of densities need; double stays double."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
