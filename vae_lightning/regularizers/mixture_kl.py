"""KL divergence to a mixture prior whose component is a latent variable."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, ForwardPass
from vae_lightning.regularizers.base import Regularizer


class MixtureKL(Regularizer):
    """KL(q(z, c|x) || p(z, c)) = Σ_c q(c|x) KL(q(z|x) || p(z|c)) + KL(q(c|x) || p(c)). Jiang et al. 2017.

    q(c|x) is the distribution that minimizes it, which is proportional to p(c) exp(-KL(q(z|x) || p(z|c))). Its minimum,
    -log Σ_c p(c) exp(-KL(q(z|x) || p(z|c))), is at least the KL to the mixture itself, since q(z, c|x) factorizes.
    """

    diagonal_gaussian_only = True

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (rate, {rate, and its second term as `cluster_rate`})."""
        scores = cluster_scores(out.qz, out.pz)
        rate = -torch.logsumexp(scores, dim=1).mean()
        log_q = F.log_softmax(scores, dim=1)
        cluster_rate = (log_q.exp() * (log_q - out.pz.log_weights)).sum(1).mean()
        return rate, {"rate": rate, "cluster_rate": cluster_rate}


def cluster_scores(qz: DiagonalGaussian, pz: Any) -> Tensor:
    """Return log p(c) - KL(q(z|x) || p(z|c)) of B images for the K components of a `FullMixture`, (B, K)."""
    return pz.log_weights - pz.component_kl(qz)


def log_cluster_probs(qz: DiagonalGaussian, pz: Any) -> Tensor:
    """Return log q(c|x) of B images for the K components of a `FullMixture`, (B, K)."""
    return F.log_softmax(cluster_scores(qz, pz), dim=1)
