"""Gaussians with a full covariance."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior, Posterior
from vae_lightning.distributions.posterior import LOG_2PI, noise_like, promote_to_float32
from vae_lightning.posteriors.shapes import vector_dim
from vae_lightning.types import LatentShape


class FullGaussian(NamedTuple):
    """Gaussians N(mu, L Lᵀ), one per image of a batch.

    Attributes:
        mu: means, (B, D).
        tril: L, lower triangular with a positive diagonal, (B, D, D).
    """

    mu: Tensor
    tril: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the distribution, (B, D)."""
        return self.mu

    @property
    def log_det(self) -> Tensor:
        """Log determinant of L, (B,)."""
        return self.tril.diagonal(dim1=1, dim2=2).log().sum(1)

    def repeat(self, k: int) -> "FullGaussian":
        """Return the Gaussians of k·B draws, the batch k times in a row."""
        return FullGaussian(self.mu.repeat(k, 1), self.tril.repeat(k, 1, 1))

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw z = mu + L ε, (B, D), with noise ε (B, D), or None to draw it from N(0, I)."""
        noise = noise_like(self.mu) if noise is None else noise
        with torch.autocast(self.mu.device.type, enabled=False):  # otherwise z would have another density than log_prob
            return self.mu + (self.tril @ noise[:, :, None]).squeeze(2)

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats."""
        whitened = torch.linalg.solve_triangular(self.tril, (z - self.mu)[:, :, None], upper=False)
        return -0.5 * (whitened.square().sum((1, 2)) + z.shape[1] * LOG_2PI) - self.log_det

    def kl(self, p: Any) -> Tensor | None:
        """Compute KL(q || p), (B,), in nats, if p is a `DiagonalGaussian`; None otherwise."""
        if not isinstance(p, DiagonalGaussian):
            return None
        precision = torch.exp(-p.logvar)  # (B, D) or (1, D)
        squared = (self.tril.square().sum(2) + (self.mu - p.mu).square()) * precision
        return 0.5 * (squared + p.logvar - 1).sum(1) - self.log_det


class FullCovariance(Posterior):
    """Maps features (B, F) to a `FullGaussian` with a linear layer for L. Kingma & Welling 2019, Algorithm 2.

    The mean and the diagonal of L are those of a `GaussianPosterior`.

    Args:
        num_features: F.
        latent_shape: D.

    Raises:
        UserError: if the latents form a map.
    """

    def __init__(self, num_features: int, latent_shape: LatentShape) -> None:
        super().__init__()
        dim = vector_dim(latent_shape, "full_covariance")
        self.base = GaussianPosterior(num_features, dim)
        self.off_diagonal = nn.Linear(num_features, dim * dim)
        for parameter in self.off_diagonal.parameters():
            nn.init.zeros_(parameter)  # starts as a diagonal Gaussian

    def forward(self, features: Tensor) -> FullGaussian:
        """Map features (B, F) to q(z|x)."""
        base = self.base(features)
        off_diagonal = promote_to_float32(self.off_diagonal(features)).unflatten(1, (base.mu.shape[1], -1))
        return FullGaussian(base.mu, off_diagonal.tril(-1) + torch.diag_embed(torch.exp(0.5 * base.logvar)))
