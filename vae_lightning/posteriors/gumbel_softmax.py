"""Gaussian latents beside one-hot categories, which are relaxed by the Gumbel-softmax in training."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import random_integers
from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior, Posterior, StandardGaussian
from vae_lightning.distributions.posterior import kl_per_latent, noise_like, promote_to_float32
from vae_lightning.posteriors.shapes import vector_dim
from vae_lightning.types import LatentShape


class JointUniform:
    """p(z) = N(0, I) over the continuous latents, and equal probabilities over the categories of each group.

    Args:
        zeros: (1, D), for the number of latents, the type and the device.
        sizes: numbers of categories K of the groups, the last ΣK latents.
    """

    def __init__(self, zeros: Tensor, sizes: Sequence[int]) -> None:
        continuous = zeros[:, : zeros.shape[1] - sum(sizes)]
        self.gaussian, self.sizes = StandardGaussian(continuous, continuous), sizes
        self.log_num_codes = sum(map(math.log, sizes))  # in nats

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats."""
        return self.gaussian.log_prob(z[:, : self.gaussian.mu.shape[1]]) - self.log_num_codes

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents with one-hot categories, (n, D)."""
        parts = [self.gaussian.sample(n, generator)]
        for size in self.sizes:
            index = random_integers(size, n, generator=generator)
            parts.append(F.one_hot(index, size).to(parts[0]))
        return torch.cat(parts, dim=1)


class JointDistribution:
    """q(z|x) of continuous latents and groups of categories, which are independent given x.

    Args:
        gaussian: of the continuous latents, (B, D - ΣK).
        log_probs: log probabilities of the categories of all groups, (B, ΣK).
        sizes: numbers of categories K of the groups.
        temperature: of the relaxed draws, or None for one-hot draws.
    """

    def __init__(
        self, gaussian: DiagonalGaussian, log_probs: Tensor, sizes: Sequence[int], temperature: float | None
    ) -> None:
        self.gaussian, self.log_probs, self.sizes, self.temperature = gaussian, log_probs, sizes, temperature

    @property
    def mean(self) -> Tensor:
        """Means of the continuous latents and probabilities of the categories, (B, D)."""
        return torch.cat([self.gaussian.mu, self.log_probs.exp()], dim=1)

    def repeat(self, k: int) -> "JointDistribution":
        """Return the distributions of k·B draws, the batch k times in a row."""
        return JointDistribution(self.gaussian.repeat(k), self.log_probs.repeat(k, 1), self.sizes, self.temperature)

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Draw z, (B, D), with standard normal noise (B, D), or None to draw it.

        The noise of a category becomes a Gumbel variable g. The draw is softmax((log π + g) / temperature), or the
        one-hot vector of its largest value. Jang et al. 2017, Eqs. 1 and 2.
        """
        mu, log_probs = self.gaussian.mu, self.log_probs
        noise = noise_like(torch.cat([mu, log_probs], dim=1)) if noise is None else noise.to(log_probs)
        normal, of_categories = noise.split([mu.shape[1], log_probs.shape[1]], dim=1)
        gumbel = -torch.log(-torch.special.log_ndtr(of_categories))
        parts = [self.gaussian.rsample(normal)]
        for scores in (log_probs + gumbel).split([*self.sizes], dim=1):
            if self.temperature is None:
                parts.append(F.one_hot(scores.argmax(1), scores.shape[1]).to(scores))
            else:
                parts.append(torch.softmax(scores / self.temperature, dim=1))
        return torch.cat(parts, dim=1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Compute the log density of z (B, D), (B,), in nats.

        Relaxed categories z count as Σ z_k log π_k, as in expectation over one-hot vectors with the probabilities z_k.
        """
        dim = self.gaussian.mu.shape[1]
        return self.gaussian.log_prob(z[:, :dim]) + (z[:, dim:] * self.log_probs).sum(1)

    def kl(self, p: Any) -> Tensor | None:
        """Compute KL(q || p), (B,), in nats, if p is uniform over the categories; None otherwise."""
        if not isinstance(p, JointUniform):
            return None
        continuous, discrete = self.kl_parts(p)
        return continuous + discrete

    def kl_parts(self, p: JointUniform) -> tuple[Tensor, Tensor]:
        """Compute the KL of the continuous latents and that of the categories, (B,) each, in nats."""
        continuous = kl_per_latent(self.gaussian, p.gaussian).sum(1)
        return continuous, p.log_num_codes + (self.log_probs.exp() * self.log_probs).sum(1)


class GumbelSoftmax(Posterior):
    """Maps features (B, F) to a `JointDistribution`. Jang et al. 2017; with continuous latents, Dupont 2018.

    The last latents are the one-hot vectors of the groups of categories. Draws are relaxed in training mode, in
    which nelbo and the objective of `IWAE` are no bounds. They are one-hot in eval mode, where both are.

    Args:
        num_features: F.
        latent_shape: D >= ΣK; the first D - ΣK latents are continuous.
        categories: numbers of categories K of the groups.
        temperature: of the relaxed draws, > 0. Close to 0, they are almost one-hot, and gradients are large.

    Raises:
        UserError: if the latents form a map, or are fewer than the categories.
    """

    support = "vectors with one-hot groups"
    matching_prior = "uniform_categories"

    def __init__(
        self,
        num_features: int,
        latent_shape: LatentShape,
        *,
        categories: Sequence[int] = (10,),
        temperature: float = 0.67,
    ) -> None:
        super().__init__()
        self.categories, self.temperature = tuple(categories), temperature
        num_continuous = vector_dim(latent_shape, "gumbel_softmax", smallest=sum(categories)) - sum(categories)
        self.gaussian = GaussianPosterior(num_features, num_continuous) if num_continuous else None
        self.logits = nn.Linear(num_features, sum(categories))

    def forward(self, features: Tensor) -> JointDistribution:
        """Map features (B, F) to q(z|x)."""
        groups = promote_to_float32(self.logits(features)).split(self.categories, dim=1)
        log_probs = torch.cat([F.log_softmax(group, dim=1) for group in groups], dim=1)
        none = log_probs[:, :0]
        gaussian = self.gaussian(features) if self.gaussian else DiagonalGaussian(none, none)
        return JointDistribution(gaussian, log_probs, self.categories, self.temperature if self.training else None)
