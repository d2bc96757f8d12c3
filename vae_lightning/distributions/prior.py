"""Priors p(z).

A prior is a module that returns the distribution of the latents of a batch. The model builds it, since only the model
knows the shapes and the posterior:
`prior(latent_dim=D, latent_shape=D or (C, h, w), condition_dim=K, image_shape=(C, H, W), posterior=posterior)`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import random_integers
from vae_lightning.distributions.posterior import (
    DiagonalGaussian,
    GaussianPosterior,
    Posterior,
    StandardGaussian,
    promote_to_float32,
)
from vae_lightning.errors import UserError

LOWEST = 0.01  # gray value of black in pseudo-images that start as images
Encode = Callable[[Tensor], DiagonalGaussian]  # images (B, C, H, W) in [0, 1] -> q(z|x)


class Prior(nn.Module, ABC):
    """Base class. `prior(encode, condition)` returns p(z), or p(z|y) if it uses the condition, (B, K) or None.

    Attributes:
        uses_condition: whether the distribution depends on the condition.
        is_discrete: whether the distribution is one of indices of codes, instead of latents.
        has_density: whether the distribution has a method `log_prob`, which the KL to it requires.
        is_estimated: whether `log_prob` is random. Its exponential must be p(z) on average, as importance weights
            require, unless `is_bound` is true.
        is_bound: whether `log_prob` is at most log p(z) on average, such as the loss of a diffusion model at a random
            time. The rate is then an upper bound, and log p(x) cannot be estimated.
        num_initial_images: number of training images that the prior starts from.
        support: the set of all z, which must be that of the posterior.
    """

    uses_condition: ClassVar[bool] = False
    is_discrete: ClassVar[bool] = False
    has_density: ClassVar[bool] = True
    is_estimated: ClassVar[bool] = False
    is_bound: ClassVar[bool] = False
    support: ClassVar[str] = "vectors"
    num_initial_images: int = 0

    @abstractmethod
    def forward(self, encode: Encode, condition: Tensor | None) -> Any:
        """Return a distribution with the methods `log_prob(z)` and `sample(n, generator)`."""

    def check(self, encoder: nn.Module, posterior: Posterior) -> None:
        """Check that the prior supports the rest of the model.

        Raises:
            UserError: if it does not.
        """

    def initialize_from_latents(self, z: Tensor) -> None:
        """Start from `prior_variable` of N training images, before the prior of a trained model is learned."""

    def initialize_from_images(self, x: Tensor) -> None:
        """Start from `num_initial_images` training images (N, C, H, W) in [0, 1], or fewer, before the first step."""

    def loss(self, pz: Any, z: Tensor) -> Tensor:
        """Compute the loss that fits the prior to latents: -log p(z), (B,), in nats.

        Args:
            pz: the distribution that the prior returned.
            z: latents, (B, D), or indices of codes, (B, P).
        """
        return -pz.log_prob(z)


class FixedPrior(Prior):
    """Base class of priors without parameters, which are the same for every image.

    Args:
        latent_dim: D.
        **_: the other shapes of the model.

    Attributes:
        zeros: (1, D), for the number of latents, the type and the device.
    """

    zeros: Tensor

    def __init__(self, *, latent_dim: int, **_: Any) -> None:
        super().__init__()
        self.register_buffer("zeros", torch.zeros(1, latent_dim), persistent=False)


class StandardNormal(FixedPrior):
    """p(z) = N(0, I) in D dimensions. vae-cvae-mnist, Eq. 1."""

    def forward(self, encode: Encode, condition: Tensor | None) -> StandardGaussian:
        """Return N(0, I), the same for every image."""
        return StandardGaussian(self.zeros, self.zeros)


class ClassConditional(Prior):
    """p(z|y) = N(mu_y, diag(σ_y²)), learned and initially N(0, I). Sohn et al. 2015, with a linear prior network.

    Raises:
        UserError: if the model is not conditional.
    """

    uses_condition = True

    def __init__(self, *, latent_dim: int, condition_dim: int, **_: Any) -> None:
        super().__init__()
        if not condition_dim:
            raise UserError("model/prior=class_conditional: requires labels. Set model.conditional=true as well.")
        self.mu, self.logvar = (nn.Linear(condition_dim, latent_dim, bias=False) for _ in range(2))
        for layer in (self.mu, self.logvar):
            nn.init.zeros_(layer.weight)

    def forward(self, encode: Encode, condition: Tensor | None) -> DiagonalGaussian:
        """Return one Gaussian per image, which depends on its label, with mu and logvar (B, D)."""
        assert condition is not None
        return DiagonalGaussian(promote_to_float32(self.mu(condition)), promote_to_float32(self.logvar(condition)))


class GaussianMixture(NamedTuple):
    """Mixture of K diagonal Gaussians with equal weights.

    Attributes:
        mu: means, (K, D).
        logvar: log σ², (K, D).
    """

    mu: Tensor
    logvar: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats.

        The squares (z - μ)² / σ² are expanded, so that two matrix products replace a tensor (B, K, D). They are in
        float64, since the terms cancel.
        """
        x, mu, logvar = z.double(), self.mu.double(), self.logvar.double()
        precision = torch.exp(-logvar)
        constant = (mu.square() * precision + logvar + math.log(2 * math.pi)).sum(1)  # (K,)
        squares = x.square() @ precision.T - 2 * x @ (mu * precision).T + constant  # (B, K)
        return (torch.logsumexp(-0.5 * squares, dim=1) - math.log(len(mu))).to(z.dtype)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D), each from a random component."""
        k = random_integers(len(self.mu), n, generator=generator).to(self.mu.device)
        return DiagonalGaussian(self.mu[k], self.logvar[k]).sample(n, generator)


class HierarchicalPrior(NamedTuple):
    """p(z_1) Π_l p(z_l | z_<l) of groups of latents, at draws of those that each group depends on.

    It is not a `DiagonalGaussian`, even if all groups are, and so has no KL in closed form.

    Attributes:
        top: p(z_1), of the first latents.
        lower: the Gaussians of the other groups, (B, D_l) each.
    """

    top: Any
    lower: list[DiagonalGaussian]

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats."""
        sizes = [p.mu.shape[1] for p in self.lower]
        z_top, *z_lower = z.split([z.shape[1] - sum(sizes), *sizes], dim=1)
        return self.top.log_prob(z_top) + sum(p.log_prob(z_l) for p, z_l in zip(self.lower, z_lower, strict=True))


class VampPrior(Prior):
    """p(z) = 1/K Σ_k q(z|u_k) with learned pseudo-images u_k. Tomczak & Welling 2018, Eq. 9.

    Args:
        condition_dim: must be 0, since pseudo-images have no labels for their posteriors.
        image_shape: (C, H, W) of a pseudo-image.
        num_components: K, the number of pseudo-images.
        from_images: start them at random training images, instead of dark noise.

    Raises:
        UserError: if the model is conditional.
    """

    def __init__(
        self,
        *,
        condition_dim: int,
        image_shape: tuple[int, ...],
        num_components: int = 100,
        from_images: bool = False,
        **_: Any,
    ) -> None:
        super().__init__()
        if condition_dim:
            raise UserError("model/prior=vamp: pseudo-images have no labels. Set model.conditional=false.")
        self.logits = nn.Parameter(torch.randn(num_components, *image_shape) - 2)  # mostly dark, like images of digits
        self.num_initial_images = num_components if from_images else 0

    def check(self, encoder: nn.Module, posterior: Posterior) -> None:
        """Check that the posterior is Gaussian and the network has no batch norm, which pseudo-images would affect.

        Raises:
            UserError: if either does not hold.
        """
        if not isinstance(posterior, GaussianPosterior):
            fix = posterior.suggest_prior() if posterior.has_density else "Leave out model/prior."
            raise UserError(f"model/prior=vamp: requires a Gaussian posterior. {fix}")
        if any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules()):
            raise UserError("model/prior=vamp: requires a network without batch norm. Set model/network=conv.")

    @torch.no_grad()
    def initialize_from_images(self, x: Tensor) -> None:
        """Replace the pseudo-images, or the first ones, by images (N, C, H, W), whose gradients do not vanish."""
        self.logits[: len(x)] = x.clamp(LOWEST, 1 - LOWEST).logit().to(self.logits)

    def forward(self, encode: Encode, condition: Tensor | None) -> GaussianMixture:
        """Return the mixture of the posteriors of the pseudo-images."""
        q = encode(torch.sigmoid(self.logits))
        return GaussianMixture(q.mu, q.logvar)
