"""The KL divergence from the posterior to the prior."""

import torch
from torch import Tensor

from vae_lightning.distributions import Inference
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


class KL(Regularizer):
    """β · KL(q(z|x) || N(0, I)), mean over the batch. Kingma & Welling 2014, Eq. 10; with β, Higgins et al. 2017.

    Args:
        beta: β ≥ 0.
    """

    def __init__(self, *, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, s: Inference) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · rate, {rate})."""
        rate = gaussian_kl(s.qz.mu, s.qz.logvar).sum(-1).mean()
        return self.beta * rate, {"rate": rate}
