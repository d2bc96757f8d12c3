"""KL divergence from the posterior to the prior."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vae_lightning.distributions import ForwardPass, HierarchicalPrior
from vae_lightning.distributions.posterior import kl_per_latent
from vae_lightning.errors import UserError
from vae_lightning.regularizers.base import NoPenalty, Regularizer


def kl(out: ForwardPass) -> Tensor:
    """Compute KL(q(z|x) || p(z)) of each image, (B,), in nats.

    It is in closed form if the posterior has one for this prior, such as a diagonal Gaussian for another, including one
    that depends on the label or on other latents. Otherwise it is estimated as log q(z|x) - log p(z) at the sampled z.
    """
    closed_form = out.qz.kl(out.pz)
    return out.qz.log_prob(out.z) - out.pz.log_prob(out.z) if closed_form is None else closed_form


class KL(Regularizer):
    """β · KL(q(z|x) || p(z)), averaged over the batch. Kingma & Welling 2014, Eq. 10; with β, Higgins et al. 2017.

    Args:
        beta: β >= 0.

    Raises:
        UserError: if β is negative.
    """

    def __init__(self, *, beta: float) -> None:
        super().__init__()
        if not beta >= 0:
            raise UserError(f"model.beta={beta}: must be a number >= 0.")
        self.beta = beta

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate})."""
        rate = kl(out).mean()
        return self.beta * rate, {"rate": rate}


class Rate(NoPenalty):
    """No penalty, but the rate is logged, of a prior that another loss is learned with."""

    standard_normal_only = False

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {rate})."""
        return out.z.new_zeros(()), {"rate": kl(out).mean()}


class GroupedKL(KL):
    """β · Σ_l KL of the l-th group of latents, for hierarchical models. The KL of each group is logged as well.

    Args:
        beta: β >= 0.
        group_sizes: number of latents of each group, the top group first.
    """

    def __init__(self, *, beta: float, group_sizes: Sequence[int]) -> None:
        super().__init__(beta=beta)
        self.group_sizes = list(group_sizes)

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate, rate_group_1, ..., rate_group_L})."""
        rates = torch.stack(self.group_rates(out))  # (L,)
        rate = rates.sum()
        return self.beta * rate, {"rate": rate} | {f"rate_group_{i}": value for i, value in enumerate(rates, 1)}

    def group_rates(self, out: ForwardPass) -> list[Tensor]:
        """Compute the KL of each group, averaged over the batch."""
        sizes = self.group_sizes
        if not isinstance(out.pz, HierarchicalPrior):
            return [group.sum() for group in kl_per_latent(out.qz, out.pz).mean(0).split(sizes)]
        groups = zip(out.qz.split(sizes), [out.pz.top, *out.pz.lower], out.z.split(sizes, dim=1), strict=True)
        return [kl(out._replace(qz=q, pz=p, z=z)).mean() for q, p, z in groups]
