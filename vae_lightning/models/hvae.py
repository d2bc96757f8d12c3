"""The hierarchical VAE: groups of latents, each conditioned on those above it."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior, Posterior
from vae_lightning.distributions.posterior import precision_weighted
from vae_lightning.errors import check_choice
from vae_lightning.models.hierarchical import (
    Draw,
    Evidence,
    Hierarchical,
    HierarchicalPosterior,
    concatenate,
    conditional,
)
from vae_lightning.networks.mlp import linear_layers
from vae_lightning.regularizers import GroupedKL


class TopDownPosterior(HierarchicalPosterior):
    """Base class. The Gaussians Π_l p(z_l | z_<l) below the top, and inference from the top down.

    Args:
        latent_dim: D, the number of latents of all groups.
        num_groups: L, which divides D; group 1 is the top.

    Attributes:
        down: z_<l -> p(z_l), l = 2, ..., L; set by subclasses.
    """

    down: nn.ModuleList

    def __init__(self, latent_dim: int, num_groups: int) -> None:
        super().__init__()
        self.top_dim = latent_dim // num_groups
        self.group_dims = [self.top_dim] * num_groups

    def conditional(self, group: int, hidden_dims: Sequence[int], num_features: int = 0) -> nn.Sequential:
        """Return a network from the latents of the groups above one, and features if any, to a Gaussian."""
        return conditional(num_features + group * self.top_dim, self.top_dim, hidden_dims, "SiLU")

    def prior(self, above: list[Tensor]) -> DiagonalGaussian:
        """Return p(z_l | z_<l), (B, D/L), given the samples of the groups above."""
        return self.down[len(above) - 1](torch.cat(above, dim=1))

    @abstractmethod
    def update(self, prior: DiagonalGaussian, evidence: Any, above: list[Tensor]) -> DiagonalGaussian:
        """Return q(z_l | x, z_<l) of a group below the top, given its prior, its evidence and the draws above it."""

    def infer(
        self, evidence: Evidence, draw: Draw
    ) -> tuple[list[DiagonalGaussian], list[DiagonalGaussian], list[Tensor]]:
        """Infer the groups from the top down; see `HierarchicalPosterior.infer`."""
        qs, ps, z = [evidence[0]], [], [draw(evidence[0])]
        for evidence_l in evidence[1:]:
            ps.append(self.prior(z))
            qs.append(self.update(ps[-1], evidence_l, z))
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


class LadderPosterior(TopDownPosterior):
    """Each q(z_l | x, z_<l) is the product of evidence and prior. Sønderby et al. 2016, Eqs. 17 and 18.

    The bottom-up pass maps features to Gaussian evidence for the lowest group, then for the one above, up to the top.

    Args:
        num_features: F.
        latent_dim: D, the number of latents of all groups.
        num_groups: L, which divides D; group 1 is the top.
        hidden_dims: widths of the layers between two groups; empty makes all maps linear.
    """

    def __init__(self, num_features: int, latent_dim: int, *, num_groups: int, hidden_dims: Sequence[int]) -> None:
        super().__init__(latent_dim, num_groups)
        dims = [num_features, *hidden_dims]
        self.up = nn.ModuleList()  # evidence of a group -> evidence of the one above
        self.evidence = nn.ModuleList([GaussianPosterior(num_features, self.top_dim)])  # lowest group first
        self.down = nn.ModuleList()
        for group in range(1, num_groups):
            self.up.append(nn.Sequential(*linear_layers(dims, "SiLU")))
            self.evidence.append(GaussianPosterior(dims[-1], self.top_dim))
            dims = [dims[-1], *hidden_dims]
            self.down.append(self.conditional(group, hidden_dims))

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

    def update(self, prior: DiagonalGaussian, evidence: DiagonalGaussian, above: list[Tensor]) -> DiagonalGaussian:
        """Return the product; see `TopDownPosterior.update`."""
        return precision_weighted(evidence, prior)


class ResidualPosterior(TopDownPosterior):
    """Each q(z_l | x, z_<l) is N(μ + Δμ, (σ Δσ)²), where its prior is N(μ, σ²). Vahdat & Kautz 2020, section 3.2.

    Δμ and log Δσ² are maps of the features and z_<l; those of the top are maps of the features only, as in the VAE.

    Args:
        num_features: F.
        latent_dim: D, the number of latents of all groups.
        num_groups: L, which divides D; group 1 is the top.
        hidden_dims: widths of the layers between two groups; empty makes all maps linear.
    """

    def __init__(self, num_features: int, latent_dim: int, *, num_groups: int, hidden_dims: Sequence[int]) -> None:
        super().__init__(latent_dim, num_groups)
        self.of_top = GaussianPosterior(num_features, self.top_dim)
        self.residuals = nn.ModuleList()  # (features, z_<l) -> Δμ and log Δσ²
        self.down = nn.ModuleList()
        for group in range(1, num_groups):
            self.residuals.append(self.conditional(group, hidden_dims, num_features))
            self.down.append(self.conditional(group, hidden_dims))

    def forward(self, features: Tensor) -> Evidence:
        """Return the posterior of the top group, and the features (B, F) for each of the others."""
        return [self.of_top(features), *[features] * len(self.residuals)]

    @property
    def top(self) -> Posterior:
        """The posterior of the top group."""
        return self.of_top

    def update(self, prior: DiagonalGaussian, evidence: Tensor, above: list[Tensor]) -> DiagonalGaussian:
        """Add the residual to the prior; see `TopDownPosterior.update`."""
        residual = self.residuals[len(above) - 1](torch.cat([evidence, *above], dim=1))
        return DiagonalGaussian(prior.mu + residual.mu, prior.logvar + residual.logvar)


INFERENCE = {"ladder": LadderPosterior, "residual": ResidualPosterior}


class HVAE(Hierarchical):
    """distortion + Σ_l KL(q(z_l|z_<l, x) || p(z_l|z_<l)), inferred from the top down. Sønderby et al. 2016.

    The decoder receives all groups. `rate_group_1` is the KL of the top group, and so on; they sum to the rate.

    Args:
        latent_dim: number of latents per group.
        num_groups: L >= 1; 1 gives the VAE.
        inference: "ladder" for the products of Sønderby et al. 2016, "residual" for the changes of Vahdat & Kautz 2020.
        hidden_dims: widths of the layers between two groups.
        **kwargs: the others of `ELBOModule`; `prior` is that of the top group.

    Raises:
        UserError: if there is no such inference.
    """

    def __init__(
        self,
        *,
        latent_dim: int = 10,
        num_groups: int = 2,
        hidden_dims: Sequence[int] = (128,),
        inference: str = "ladder",
        **kwargs: Any,
    ) -> None:
        posterior = INFERENCE[check_choice("model.inference", inference, INFERENCE)]
        super().__init__(
            regularizer=GroupedKL(beta=1.0, group_sizes=[latent_dim] * num_groups),
            latent_dim=num_groups * latent_dim,
            own_posterior=partial(posterior, num_groups=num_groups, hidden_dims=hidden_dims),
            **kwargs,
        )
