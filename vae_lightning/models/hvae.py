"""The ladder VAE: groups of latents, each conditioned on those above it."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior, Posterior
from vae_lightning.models.hierarchical import Draw, Hierarchical, HierarchicalPosterior, concatenate
from vae_lightning.networks.mlp import linear_layers
from vae_lightning.regularizers import GroupedKL


class LadderPosterior(HierarchicalPosterior):
    """Gaussians Π_l p(z_l | z_<l) below the top, and the posterior, inferred from the top down. Sønderby et al. 2016.

    The bottom-up pass maps features to evidence for the lowest group, then for the one above, up to the first. The
    top-down pass samples each group from the product of its evidence and its prior, which are both Gaussians.

    Args:
        num_features: F.
        latent_dim: D, the number of latents of all groups.
        num_groups: L, which divides D; group 1 is the top.
        hidden_dims: widths of the layers between two groups, in both directions; empty makes all maps linear.
    """

    def __init__(self, num_features: int, latent_dim: int, *, num_groups: int, hidden_dims: Sequence[int]) -> None:
        super().__init__()
        group_dim = self.top_dim = latent_dim // num_groups
        self.group_dims = [group_dim] * num_groups
        dims = [num_features, *hidden_dims]
        self.up = nn.ModuleList()  # evidence of a group -> evidence of the one above
        self.evidence = nn.ModuleList([GaussianPosterior(num_features, group_dim)])  # lowest group first
        self.down = nn.ModuleList()  # z_<l -> p(z_l), l = 2, ..., L
        for group in range(1, num_groups):
            self.up.append(nn.Sequential(*linear_layers(dims, "SiLU")))
            self.evidence.append(GaussianPosterior(dims[-1], group_dim))
            dims = [dims[-1], *hidden_dims]
            above = [group * group_dim, *hidden_dims]
            self.down.append(nn.Sequential(*linear_layers(above, "SiLU"), GaussianPosterior(above[-1], group_dim)))

    def forward(self, features: Tensor) -> list[DiagonalGaussian]:
        """Map features (B, F) to the evidence for each group, the top group first."""
        evidence = [self.evidence[0](features)]
        for up, to_evidence in zip(self.up, list(self.evidence)[1:], strict=True):
            features = up(features)
            evidence.append(to_evidence(features))
        return evidence[::-1]

    @property
    def top(self) -> Posterior:
        """The posterior of the top group, which is its evidence."""
        return cast(Posterior, self.evidence[-1])

    def prior(self, above: list[Tensor]) -> DiagonalGaussian:
        """Return p(z_l | z_<l), (B, D/L), given the samples of the groups above."""
        return self.down[len(above) - 1](torch.cat(above, dim=1))

    def infer(
        self, evidence: list[DiagonalGaussian], draw: Draw
    ) -> tuple[list[DiagonalGaussian], list[DiagonalGaussian], list[Tensor]]:
        """Infer the groups from the top down; see `HierarchicalPosterior.infer`."""
        qs, ps, z = [evidence[0]], [], [draw(evidence[0])]
        for evidence_l in evidence[1:]:
            ps.append(self.prior(z))
            qs.append(precision_weighted(evidence_l, ps[-1]))
            z.append(draw(qs[-1]))
        return qs, ps, z

    def joint_prior(self, top: Any, lower: list[DiagonalGaussian], n: int) -> Any:
        """Return the prior of all groups: one Gaussian (n, D) if that of the top is Gaussian, since p follows q."""
        if not isinstance(top, DiagonalGaussian):
            return super().joint_prior(top, lower, n)
        return concatenate([DiagonalGaussian(top.mu.expand(n, -1), top.logvar.expand(n, -1)), *lower])

    def sample(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Sample the groups below the top from the prior; see `HierarchicalPosterior.sample`."""
        z = [top]
        for _ in self.down:
            z.append(self.prior(z).sample(top.shape[0], generator))
        return torch.cat(z, dim=1)


def precision_weighted(a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
    """Return the normalized product of two Gaussians. Sønderby et al. 2016, Eqs. 17 and 18."""
    weight = torch.sigmoid(b.logvar - a.logvar)  # precision of a, relative to that of both
    return DiagonalGaussian(weight * a.mu + (1 - weight) * b.mu, -torch.logaddexp(-a.logvar, -b.logvar))


class HVAE(Hierarchical):
    """distortion + Σ_l KL(q(z_l|z_<l, x) || p(z_l|z_<l)), with ladder inference. Sønderby et al. 2016.

    The decoder receives all groups. `rate_group_1` is the KL of the top group, and so on; they sum to the rate.

    Args:
        latent_dim: number of latents per group.
        num_groups: L >= 1; 1 gives the VAE.
        hidden_dims: widths of the layers between two groups.
        **kwargs: the others of `ELBOModule`; `prior` is that of the top group.
    """

    def __init__(
        self, *, latent_dim: int = 10, num_groups: int = 2, hidden_dims: Sequence[int] = (128,), **kwargs: Any
    ) -> None:
        super().__init__(
            regularizer=GroupedKL(beta=1.0, group_sizes=[latent_dim] * num_groups),
            latent_dim=num_groups * latent_dim,
            own_posterior=partial(LadderPosterior, num_groups=num_groups, hidden_dims=hidden_dims),
            **kwargs,
        )
