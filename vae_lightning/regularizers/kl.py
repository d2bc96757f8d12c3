"""KL divergence from the posterior to the prior."""

import torch
from torch import Tensor

from vae_lightning.distributions import Codes, DiagonalGaussian, ForwardPass, StandardGaussian
from vae_lightning.regularizers.base import NoPenalty, Regularizer


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Compute KL(N(mu, σ²) || N(0, 1)) of each latent in nats, ½ (mu² + σ² - log σ² - 1). vae-cvae-mnist, Eq. 17.

    Its derivatives are mu with respect to mu (Eq. 22) and σ - 1/σ with respect to σ (Eq. 23).

    >>> gaussian_kl(torch.tensor([0.0, 1.0]), torch.zeros(2))
    tensor([0.0000, 0.5000])

    Args:
        mu: means, of any shape.
        logvar: log σ², of the same shape.

    Returns:
        One divergence per latent, of the same shape. Their sum over the last dimension is that of the whole code.
    """
    return 0.5 * (mu.square() + torch.exp(logvar) - logvar - 1)


def kl_per_latent(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """Compute KL(q || p) of each latent, (B, D), in nats."""
    if isinstance(p, StandardGaussian):  # exactly equal, and faster
        return gaussian_kl(q.mu, q.logvar)
    return gaussian_kl((q.mu - p.mu) * torch.exp(-0.5 * p.logvar), q.logvar - p.logvar)


def kl(out: ForwardPass) -> Tensor:
    """Compute KL(q(z|x) || p(z)) of each image, (B,), in nats.

    The KL is in closed form if the prior is also a diagonal Gaussian, including one that depends on the label or on
    other latents. Otherwise it is estimated as log q(z|x) - log p(z) at the sampled z. Of codes it is -log p(codes),
    since all mass of q(z|x) is on one value.
    """
    if isinstance(out.qz, Codes):
        return -out.pz.log_prob(out.prior_variable)
    if isinstance(out.pz, DiagonalGaussian):
        return kl_per_latent(out.qz, out.pz).sum(1)
    return out.qz.log_prob(out.z) - out.pz.log_prob(out.z)


class KL(Regularizer):
    """β · KL(q(z|x) || p(z)), averaged over the batch. Kingma & Welling 2014, Eq. 10; with β, Higgins et al. 2017.

    Args:
        beta: β >= 0.
    """

    def __init__(self, *, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate})."""
        rate = kl(out).mean()
        return self.beta * rate, {"rate": rate}


class Rate(NoPenalty):
    """No penalty, but the rate is logged, of a prior that another loss is learned with."""

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {rate})."""
        return out.z.new_zeros(()), {"rate": kl(out).mean()}


class GroupedKL(KL):
    """β · Σ_l KL of the l-th group of latents, for hierarchical models. The KL of each group is logged as well.

    Args:
        beta: β >= 0.
        num_groups: L; the latents are L groups of equal size, the top group first.
    """

    standard_normal_only = True  # for the top group

    def __init__(self, *, beta: float, num_groups: int) -> None:
        super().__init__(beta=beta)
        self.num_groups = num_groups

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate, rate_group_1, ..., rate_group_L})."""
        rates = kl_per_latent(out.qz, out.pz).mean(0).unflatten(0, (self.num_groups, -1)).sum(1)  # (L,)
        rate = rates.sum()
        return self.beta * rate, {"rate": rate} | {f"rate_group_{i}": value for i, value in enumerate(rates, 1)}
