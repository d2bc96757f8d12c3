"""The β-VAE."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import KL


class BetaVAE(ELBOModule):
    """distortion + β · KL(q(z|x) || p(z)). Higgins et al. 2017, Eq. 4.

    Args:
        beta: β >= 0; 1 gives the VAE.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(self, *, beta: float = 4.0, **kwargs: Any) -> None:
        super().__init__(regularizer=KL(beta=beta), **kwargs)
