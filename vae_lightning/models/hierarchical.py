"""Models with several groups of latents, some of which depend on the draws of others."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior, HierarchicalPrior, Posterior
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.networks.mlp import linear_layers
from vae_lightning.types import LatentShape

Draw = Callable[[DiagonalGaussian], Tensor]
Evidence = list[Any]  # what inference starts from: a DiagonalGaussian, or features (B, F), for each group


class HierarchicalPosterior(Posterior):
    """Base class. Maps features to the evidence that inference starts from, and holds the priors of the lower groups.

    Attributes:
        group_dims: number of latents of each group, in the order in which `infer` draws them.
        top_dim: that of the top group, whose prior the model holds.
    """

    group_dims: list[int]
    top_dim: int

    @property
    def top(self) -> Posterior:
        """The posterior of the top group, if it depends on the image only; otherwise this one."""
        return self

    @abstractmethod
    def infer(
        self, evidence: Evidence, draw: Draw
    ) -> tuple[list[DiagonalGaussian], list[DiagonalGaussian], list[Tensor]]:
        """Infer the groups one after the other.

        Args:
            evidence: the output of this module.
            draw: how a group is drawn from its posterior.

        Returns:
            q of each group, p of each group but the top, both given the draws of others, and z, the top group first.
        """

    def joint_prior(self, top: Any, lower: list[DiagonalGaussian], n: int) -> Any:
        """Return the prior of all groups, at n draws.

        Args:
            top: that of the top group.
            lower: those of the others, from `infer`.
            n: B, or the number of all draws.
        """
        return HierarchicalPrior(top, lower)

    @abstractmethod
    def sample(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Sample the lower groups from the prior, given the top group (n, D_1): all latents, (n, D)."""


class Hierarchical(ELBOModule):
    """Base class of models with a `HierarchicalPosterior`. Their `prior` is that of the top group."""

    posterior: HierarchicalPosterior
    requires_vector = True
    supports_latent_prior = False  # the priors of the lower groups are learned with the posterior

    @property
    def modeled_by_prior(self) -> tuple[LatentShape, Posterior]:
        """Shape and posterior of the top group; the posterior holds the priors of the others."""
        return self.posterior.top_dim, self.posterior.top

    def infer(
        self, x: Tensor, y: Tensor | None = None, num_samples: int = 1, noise: Tensor | None = None
    ) -> tuple[DiagonalGaussian, Any, Tensor]:
        """Encode images, and draw latents; q and p of a group are conditioned on the draws of others."""
        evidence = [repeat_evidence(part, num_samples) for part in super().encode(x, y)]
        dims = self.posterior.group_dims
        noises = iter([None] * len(dims) if noise is None else noise.split(dims, dim=1))
        qs, ps, z = self.posterior.infer(evidence, lambda q: q.rsample(next(noises)))
        top = self.top_prior(repeat_rows(y, num_samples))
        return concatenate(qs), self.posterior.joint_prior(top, ps, z[0].shape[0]), torch.cat(z, dim=1)

    def encode(self, x: Tensor, y: Tensor | None = None) -> DiagonalGaussian:
        """Return the posterior of all groups, given the means of those that they depend on."""
        return concatenate(self.posterior.infer(super().encode(x, y), lambda q: q.mu)[0])

    def top_prior(self, y: Tensor | None) -> Any:
        """Return the prior of the top group."""
        return self.prior(lambda x: super(Hierarchical, self).encode(x)[0], self.condition(y))

    def sample_prior(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Sample n latents from the prior, from the top down, (n, D)."""
        return self.posterior.sample(self.top_prior(y).sample(n, generator), generator)


def conditional(num_inputs: int, num_outputs: int, hidden_dims: Sequence[int], activation: str) -> nn.Sequential:
    """Return a network from latents of other groups, and maybe features, to a Gaussian of one group."""
    dims = [num_inputs, *hidden_dims]
    return nn.Sequential(*linear_layers(dims, activation), GaussianPosterior(dims[-1], num_outputs))


def repeat_evidence(part: DiagonalGaussian | Tensor, k: int) -> DiagonalGaussian | Tensor:
    """Repeat the evidence for one group for k draws, the batch k times in a row."""
    return repeat_rows(part, k) if isinstance(part, Tensor) else part.repeat(k)


def concatenate(groups: list[DiagonalGaussian]) -> DiagonalGaussian:
    """Concatenate groups (B, D_l) to one Gaussian (B, D)."""
    return DiagonalGaussian(torch.cat([g.mu for g in groups], dim=1), torch.cat([g.logvar for g in groups], dim=1))
