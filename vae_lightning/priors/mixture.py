"""A mixture of Gaussians with full or diagonal covariances."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows
from vae_lightning.distributions import DiagonalGaussian, Prior
from vae_lightning.distributions.posterior import LOG_2PI, sample_noise
from vae_lightning.errors import UserError, check_choice


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
        return torch.logsumexp(self.log_joint(z), dim=1)

    def log_joint(self, z: Tensor) -> Tensor:
        """Compute log π_k + log N(z; mu_k, Σ_k) of z (B, D), (B, K), whose softmax over k is p(k|z)."""
        components = -0.5 * (self.squared_distance(z) + z.shape[1] * LOG_2PI) - self.log_det[:, None]
        return self.log_weights + components.T

    def component_kl(self, q: DiagonalGaussian) -> Tensor:
        """Compute KL(q || N(mu_k, Σ_k)) of Gaussians (B, D) and each component in closed form, (B, K), in nats."""
        # The diagonals of the inverse covariances, (K, D). `inv` would wait for the GPU to check that L is invertible.
        precision = torch.linalg.inv_ex(self.tril).inverse.square().sum(1)
        with torch.autocast(precision.device.type, enabled=False):
            trace = precision @ q.logvar.exp().T  # (K, B)
        log_dets = 2 * self.log_det[:, None] - q.logvar.sum(1)
        return 0.5 * (trace + self.squared_distance(q.mu) - q.mu.shape[1] + log_dets).T

    @property
    def log_det(self) -> Tensor:
        """log |L_k| of each component, (K,)."""
        return self.tril.diagonal(dim1=1, dim2=2).log().sum(1)

    def squared_distance(self, z: Tensor) -> Tensor:
        """Compute (z - mu_k)ᵀ Σ_k⁻¹ (z - mu_k) of z (B, D), (K, B)."""
        difference = (z[None] - self.mu[:, None]).transpose(1, 2)  # (K, D, B)
        return torch.linalg.solve_triangular(self.tril, difference, upper=False).square().sum(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D). The components are drawn on the CPU, to be the same on all devices."""
        weights = self.log_weights.exp().cpu()
        k = torch.multinomial(weights, global_batch_size(n), replacement=True, generator=generator)
        k, noise = local_rows(k).to(self.mu.device), sample_noise(n, self.mu.shape[1], self.mu, generator)
        with torch.autocast(noise.device.type, enabled=False):
            return self.mu[k] + (self.tril[k] @ noise[:, :, None]).squeeze(2)


class MixturePrior(Prior):
    """p(z) = Σ_k π_k N(mu_k, Σ_k), the same for all labels.

    For a trained model, the EM algorithm of scikit-learn fits it to latents of training images, and gradient descent
    continues from there. Ghosh et al. 2020, section 4, use it for samples of autoencoders. Penalties that compare
    draws, such as the MMD, have no gradient for the weights π, which stay equal.

    Args:
        latent_dim: D.
        num_components: K.
        covariance: `full` or `diagonal`.
        **_: the other shapes of the model.

    Raises:
        UserError: if `covariance` has an invalid value.
    """

    def __init__(self, *, latent_dim: int, num_components: int = 10, covariance: str = "full", **_: Any) -> None:
        super().__init__()
        self.is_full = check_choice("model.prior.covariance", covariance, ("full", "diagonal")) == "full"
        self.logits = nn.Parameter(torch.zeros(num_components))
        self.mu = nn.Parameter(torch.randn(num_components, latent_dim))
        if self.is_full:
            self.off_diagonal = nn.Parameter(torch.zeros(num_components, latent_dim, latent_dim))
        self.log_diagonal = nn.Parameter(torch.zeros(num_components, latent_dim))

    def forward(self, encode: Any, condition: Tensor | None) -> FullMixture:
        """Return the mixture, the same for every image."""
        tril = torch.diag_embed(self.log_diagonal.exp())
        if self.is_full:
            tril = self.off_diagonal.tril(-1) + tril
        return FullMixture(F.log_softmax(self.logits, dim=0), self.mu, tril)

    @torch.no_grad()
    def initialize_from_latents(self, z: Tensor) -> None:
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
        kind = "full" if self.is_full else "diag"
        em = GaussianMixture(len(self.logits), covariance_type=kind, random_state=0, reg_covar=smallest_variance)
        fitted = em.fit(z.double().cpu())
        self.logits.copy_(torch.from_numpy(fitted.weights_).log())
        self.mu.copy_(torch.from_numpy(fitted.means_))
        covariances = torch.from_numpy(fitted.covariances_)
        if self.is_full:
            tril = torch.linalg.cholesky(covariances)
            self.off_diagonal.copy_(tril.tril(-1))
            self.log_diagonal.copy_(tril.diagonal(dim1=1, dim2=2).log())
        else:
            self.log_diagonal.copy_(covariances.log() / 2)
