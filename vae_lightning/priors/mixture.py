"""A mixture of Gaussians with full covariances."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows
from vae_lightning.distributions import Prior
from vae_lightning.distributions.posterior import LOG_2PI, sample_noise
from vae_lightning.errors import UserError


class FullMixture(NamedTuple):
    """Mixture of K Gaussians N(mu_k, L_k L_kᵀ).

    Attributes:
        log_weights: log of the weights, (K,), which sum to 1.
        mu: means, (K, D).
        tril: L_k, lower triangular with a positive diagonal, (K, D, D).
    """

    log_weights: Tensor
    mu: Tensor
    tril: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats."""
        difference = (z[None] - self.mu[:, None]).transpose(1, 2)  # (K, D, B)
        whitened = torch.linalg.solve_triangular(self.tril, difference, upper=False)
        log_det = self.tril.diagonal(dim1=1, dim2=2).log().sum(1)  # (K,)
        components = -0.5 * (whitened.square().sum(1) + z.shape[1] * LOG_2PI) - log_det[:, None]  # (K, B)
        return torch.logsumexp(self.log_weights[:, None] + components, dim=0)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D). The components are drawn on the CPU, to be the same on all devices."""
        weights = self.log_weights.exp().cpu()
        k = torch.multinomial(weights, global_batch_size(n), replacement=True, generator=generator)
        k, noise = local_rows(k).to(self.mu.device), sample_noise(n, self.mu.shape[1], generator).to(self.mu)
        return self.mu[k] + (self.tril[k] @ noise[:, :, None]).squeeze(2)


class MixturePrior(Prior):
    """p(z) = Σ_k π_k N(mu_k, Σ_k), the same for all labels.

    For a trained model, the EM algorithm of scikit-learn fits it to latents of training images, and gradient descent
    continues from there. Ghosh et al. 2020, section 4, use it for samples of autoencoders.

    Args:
        latent_dim: D.
        num_components: K.
        **_: the other shapes of the model.
    """

    def __init__(self, *, latent_dim: int, num_components: int = 10, **_: Any) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_components))
        self.mu = nn.Parameter(torch.randn(num_components, latent_dim))
        self.off_diagonal = nn.Parameter(torch.zeros(num_components, latent_dim, latent_dim))
        self.log_diagonal = nn.Parameter(torch.zeros(num_components, latent_dim))

    def forward(self, encode: Any, condition: Tensor | None) -> FullMixture:
        """Return the mixture, the same for every image."""
        tril = self.off_diagonal.tril(-1) + torch.diag_embed(self.log_diagonal.exp())
        return FullMixture(F.log_softmax(self.logits, dim=0), self.mu, tril)

    @torch.no_grad()
    def initialize(self, z: Tensor) -> None:
        """Fit the mixture to latents z (N, D) by expectation maximization.

        Raises:
            UserError: if there are fewer latents than components.
        """
        from sklearn.mixture import GaussianMixture  # slow to import

        if len(z) < len(self.logits):
            raise UserError(
                f"model.prior.num_components={len(self.logits)}: there are only {len(z)} training images. Set {len(z)}"
                " or fewer."
            )
        smallest_variance = 1e-6 * z.var().item()
        fitted = GaussianMixture(len(self.logits), random_state=0, reg_covar=smallest_variance).fit(z.double().cpu())
        tril = torch.linalg.cholesky(torch.from_numpy(fitted.covariances_))
        self.logits.copy_(torch.from_numpy(fitted.weights_).log())
        self.mu.copy_(torch.from_numpy(fitted.means_))
        self.off_diagonal.copy_(tril.tril(-1))
        self.log_diagonal.copy_(tril.diagonal(dim1=1, dim2=2).log())
