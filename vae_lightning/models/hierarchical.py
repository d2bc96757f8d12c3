"""Models with several groups of latents, some of which depend on the draws of others."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, Posterior, Prior, StandardNormal
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule

Draw = Callable[[DiagonalGaussian], Tensor]


class HierarchicalPosterior(Posterior):
    """Base class. Maps features to the Gaussians that inference starts from, and holds the learned prior of the groups.

    Attributes:
        group_dims: number of latents of each group, in the order in which `infer` draws them.
    """

    group_dims: list[int]

    def infer(self, evidence: list[DiagonalGaussian], draw: Draw) -> tuple[DiagonalGaussian, Any, Tensor]:
        """Infer the groups one after the other.

        Args:
            evidence: the output of this module.
            draw: how a group is drawn from its posterior.

        Returns:
            q and p of each group given the draws of others, and z, each with all groups concatenated, the top first.
        """
        raise TypeError(f"{type(self).__name__} must define infer(evidence, draw)")

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Sample n latents from the prior, group by group, (n, D)."""
        raise TypeError(f"{type(self).__name__} must define sample(n, generator)")


class Hierarchical(ELBOModule):
    """Base class of models with a `HierarchicalPosterior`."""

    posterior: HierarchicalPosterior
    requires_vector = True

    def build_prior(self, prior: Any) -> Prior:
        """Build the prior of the top group, which must be N(0, I); the posterior holds those of the others."""
        built = super().build_prior(prior)
        if not isinstance(built, StandardNormal):
            raise UserError(f"model/prior: {type(self).__name__} requires N(0, I). Set model/prior=standard_normal.")
        return built

    def infer(
        self, x: Tensor, y: Tensor | None = None, num_samples: int = 1, noise: Tensor | None = None
    ) -> tuple[DiagonalGaussian, Any, Tensor]:
        """Encode images, and draw latents; q and p of a group are conditioned on the draws of others."""
        evidence = [q.repeat(num_samples) for q in super().encode(x, y)]
        dims = self.posterior.group_dims
        noises = iter([None] * len(dims) if noise is None else noise.split(dims, dim=1))
        return self.posterior.infer(evidence, lambda q: q.rsample(next(noises)))

    def encode(self, x: Tensor, y: Tensor | None = None) -> DiagonalGaussian:
        """Return the posterior of all groups, given the means of those that they depend on."""
        return self.posterior.infer(super().encode(x, y), lambda q: q.mu)[0]

    def sample_prior(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Sample n latents from the prior, from the top down, (n, D)."""
        return self.posterior.sample(n, generator)


def concatenate(groups: list[DiagonalGaussian]) -> DiagonalGaussian:
    """Concatenate groups (B, D_l) to one Gaussian (B, D)."""
    return DiagonalGaussian(torch.cat([g.mu for g in groups], dim=1), torch.cat([g.logvar for g in groups], dim=1))
