"""Posteriors q(z|x): what an encoder's features say about the latent."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows

LOG_2PI = math.log(2 * math.pi)
LOGVAR_BOUNDS = (-30.0, 20.0)  # σ from 3e-7 to 2e4, and exp(±logvar) far from where single precision ends


class DiagonalGaussian(NamedTuple):
    """N(mu, diag(exp(logvar))), one for each image of a batch.

    Attributes:
        mu: (B, D).
        logvar: (B, D), log σ².
    """

    mu: Tensor
    logvar: Tensor

    @property
    def mean(self) -> Tensor:
        """The mean, (B, D)."""
        return self.mu

    def rsample(self) -> Tensor:
        """z = mu + σ·ε with ε ~ N(0, I), (B, D). vae-cvae-mnist, Eq. 24."""
        noise = torch.randn(
            global_batch_size(len(self.mu)), self.mu.shape[1], dtype=self.mu.dtype, device=self.mu.device
        )
        return self.mu + torch.exp(0.5 * self.logvar) * local_rows(noise)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D), where B is 1 or n; the noise is the CPU's: a seed gives the same on every device."""
        noise = local_rows(torch.randn(global_batch_size(n), self.mu.shape[1], generator=generator)).to(self.mu)
        return self.mu + torch.exp(0.5 * self.logvar) * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """The log density of z (B, D), summed over the latents: (B,), in nats."""
        squared = (z - self.mu).square() * torch.exp(-self.logvar)
        return -0.5 * (squared + self.logvar + LOG_2PI).sum(-1)


class StandardGaussian(DiagonalGaussian):
    """N(0, I): mu and logvar are zeros, (1, D), which a formula may leave out."""


class DeltaDistribution(NamedTuple):
    """All mass on one code: the deterministic "posterior" of an autoencoder.

    Attributes:
        mu: (B, D).
    """

    mu: Tensor

    @property
    def mean(self) -> Tensor:
        """The code, (B, D)."""
        return self.mu

    def rsample(self) -> Tensor:
        """The code again, (B, D): there is nothing to draw."""
        return self.mu


class GaussianPosterior(nn.Module):
    """Features (B, F) -> DiagonalGaussian, by one linear layer for mu and one for log σ² (vae-cvae-mnist, Table 1).

    log σ² is kept within `LOGVAR_BOUNDS`, so that one wild image does not make the loss infinite. Inside, where any
    training that goes well stays, this changes no bit of the value or of the gradient; outside the gradient is 0.
    """

    def __init__(self, num_features: int, latent_dim: int) -> None:
        super().__init__()
        self.mu = nn.Linear(num_features, latent_dim)
        self.logvar = nn.Linear(num_features, latent_dim)

    def forward(self, features: Tensor) -> DiagonalGaussian:
        """Map features (B, F) to q(z|x)."""
        logvar = F.hardtanh(promote_to_float32(self.logvar(features)), *LOGVAR_BOUNDS)  # clamp, with a quicker gradient
        return DiagonalGaussian(promote_to_float32(self.mu(features)), logvar)


class DeltaPosterior(nn.Module):
    """Features (B, F) -> Point, by one linear layer and an activation (kingma-welling-replication, appendix A.2).

    Args:
        num_features: F.
        latent_dim: D.
        activation: the name of a `torch.nn` module that bounds the code, `Identity` for none.
    """

    def __init__(self, num_features: int, latent_dim: int, activation: str) -> None:
        super().__init__()
        self.code = nn.Sequential(nn.Linear(num_features, latent_dim), getattr(nn, activation)())

    def forward(self, features: Tensor) -> DeltaDistribution:
        """Map features (B, F) to a code."""
        return DeltaDistribution(promote_to_float32(self.code(features)))


def promote_to_float32(x: Tensor) -> Tensor:
    """Half precision to single: sums of densities over latents and batches need the digits; double stays double."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
