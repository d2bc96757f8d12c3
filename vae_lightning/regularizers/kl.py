"""The KL divergence from the posterior to the prior."""

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, ForwardPass, StandardGaussian
from vae_lightning.regularizers.base import Regularizer


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, σ²) || N(0, 1)) of each latent, in nats: ½ (mu² + σ² - log σ² - 1). vae-cvae-mnist, Eq. 17.

    Its gradients are mu (Eq. 22) and σ - 1/σ with respect to σ (Eq. 23).

    Args:
        mu: any shape.
        logvar: log σ², the same shape.

    Returns:
        The same shape: one divergence for each latent; sum over the last dimension for that of the whole code.
    """
    return 0.5 * (mu.square() + torch.exp(logvar) - logvar - 1)


def kl_per_latent(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """KL(q || p) of each latent, (B, D), in nats: that to N(0, 1) in the units of p."""
    if isinstance(p, StandardGaussian):  # the same to the bit
        return gaussian_kl(q.mu, q.logvar)
    return gaussian_kl((q.mu - p.mu) * torch.exp(-0.5 * p.logvar), q.logvar - p.logvar)


def kl(out: ForwardPass) -> Tensor:
    """KL(q(z|x) || p(z)) of each image, (B,), in nats.

    In closed form where the prior is a diagonal Gaussian too, also one that the label or another latent decides;
    log q(z|x) - log p(z) at the one z that was drawn where it is not.
    """
    if isinstance(out.pz, DiagonalGaussian):
        return kl_per_latent(out.qz, out.pz).sum(1)
    return out.qz.log_prob(out.z) - out.pz.log_prob(out.z)


class KL(Regularizer):
    """β · KL(q(z|x) || p(z)), mean over the batch. Kingma & Welling 2014, Eq. 10; with β, Higgins et al. 2017.

    Args:
        beta: β ≥ 0.
    """

    def __init__(self, *, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate})."""
        rate = kl(out).mean()
        return self.beta * rate, {"rate": rate}


class GroupedKL(KL):
    """β · Σ_l KL of the l-th group of latents, for a hierarchy; the KL of each group is logged too.

    Args:
        num_groups: L; the latents are L groups of equal size, the first drawn first.
    """

    standard_normal_only = True  # at the top of the hierarchy

    def __init__(self, *, beta: float, num_groups: int) -> None:
        super().__init__(beta=beta)
        self.num_groups = num_groups

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate, rate_group_1, ..., rate_group_L})."""
        groups = kl_per_latent(out.qz, out.pz).mean(0).unflatten(0, (self.num_groups, -1)).sum(1)  # (L,)
        rate = groups.sum()
        return self.beta * rate, {"rate": rate, **{f"rate_group_{i}": kl for i, kl in enumerate(groups, 1)}}
