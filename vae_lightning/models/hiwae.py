"""The importance-weighted autoencoder with several stochastic layers."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior
from vae_lightning.models.hierarchical import Draw, Hierarchical, HierarchicalPosterior, conditional
from vae_lightning.models.iwae import IWAE
from vae_lightning.types import LatentShape


class ChainPosterior(HierarchicalPosterior):
    """q(h_1|x) Π_l q(h_{l+1} | h_l), inferred from the bottom up, and Π_l p(h_l | h_{l+1}). Burda et al. 2016.

    Args:
        num_features: F.
        latent_dim: D, the sum of `group_dims`.
        group_dims: D_1, ..., D_L, the lowest group first, which the decoder receives.
        hidden_dims: widths of the tanh layers between two groups, in both directions.
    """

    def __init__(
        self, num_features: int, latent_dim: int, *, group_dims: Sequence[int], hidden_dims: Sequence[int]
    ) -> None:
        super().__init__()
        self.group_dims = list(group_dims)
        self.top_dim = group_dims[-1]
        self.lowest = GaussianPosterior(num_features, group_dims[0])
        pairs = list(pairwise(group_dims))
        self.up = nn.ModuleList(conditional(below, above, hidden_dims, "Tanh") for below, above in pairs)
        self.down = nn.ModuleList(conditional(above, below, hidden_dims, "Tanh") for below, above in pairs)

    def forward(self, features: Tensor) -> list[DiagonalGaussian]:
        """Map features (B, F) to q(h_1|x), the only group that depends on the image itself."""
        return [self.lowest(features)]

    def infer(
        self, evidence: list[DiagonalGaussian], draw: Draw
    ) -> tuple[list[DiagonalGaussian], list[DiagonalGaussian], list[Tensor]]:
        """Infer the groups from the bottom up; see `HierarchicalPosterior.infer`."""
        qs = list(evidence)
        h = [draw(qs[0])]
        for up in self.up:
            qs.append(up(h[-1]))
            h.append(draw(qs[-1]))
        ps = [down(above) for down, above in zip(self.down, h[1:], strict=True)]
        return qs[::-1], ps[::-1], h[::-1]

    def sample(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Sample the groups below the top from the prior; see `HierarchicalPosterior.sample`."""
        h = [top]
        for down in reversed(self.down):
            h.append(down(h[-1]).sample(top.shape[0], generator))
        return torch.cat(h, dim=1)


class HIWAE(Hierarchical, IWAE):
    """The bound of `IWAE` for a chain of groups, h_L -> ... -> h_1 -> x. Burda et al. 2016, with two groups.

    The decoder receives h_1 only. Since each group is inferred from the one below, the rate is that of the draws.

    Args:
        num_samples: K >= 1, samples of all groups per image.
        latent_dim: number of latents of the lowest group, h_1.
        upper_dims: numbers of latents of the groups above it, from the bottom up; empty gives the IWAE.
        hidden_dims: widths of the layers between two groups.
        **kwargs: the others of `IWAE`; `prior` is that of the top group.
    """

    posterior: ChainPosterior

    def __init__(
        self,
        *,
        num_samples: int = 5,
        latent_dim: int = 100,
        upper_dims: Sequence[int] = (50,),
        hidden_dims: Sequence[int] = (100, 100),
        **kwargs: Any,
    ) -> None:
        group_dims = [latent_dim, *upper_dims]
        super().__init__(
            num_samples=num_samples,
            latent_dim=sum(group_dims),
            own_posterior=partial(ChainPosterior, group_dims=group_dims, hidden_dims=hidden_dims),
            **kwargs,
        )

    @property
    def decoded_shape(self) -> LatentShape:
        """Number of latents of the lowest group."""
        return self.posterior.group_dims[0]
