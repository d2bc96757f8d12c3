"""A model of your own: a VAE whose regularizer is yours."""

from typing import Any

from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.models import ELBOModule
from vae_lightning.regularizers import Regularizer, kl


class SquaredKL(Regularizer):
    """beta · KL(q(z|x) || p(z))²: penalizes images that need many nats."""

    def __init__(self, *, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the penalty, a scalar, and the terms to log. `rate` is needed for nelbo = distortion + rate."""
        divergence = kl(out)  # (B,), in nats
        return self.beta * divergence.square().mean(), {"rate": divergence.mean()}


class MyVAE(ELBOModule):
    """A VAE with the regularizer above."""

    def __init__(self, *, beta: float = 0.1, **kwargs: Any) -> None:
        super().__init__(regularizer=SquaredKL(beta=beta), **kwargs)
