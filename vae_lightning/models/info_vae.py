"""The InfoVAE and the Wasserstein autoencoder: the aggregate posterior matched to the prior by MMD."""

from functools import partial
from typing import Any

from vae_lightning.distributions import DeltaPosterior
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import MMD


class InfoVAE(ELBOModule):
    """distortion + (1-α) · KL(q(z|x) || p(z)) + (α+λ-1) · MMD²(q(z), p(z)). Zhao et al. 2017, section 3.

    Args:
        alpha: α ≤ 1; 1 is the MMD-VAE, without a KL.
        lambda_mmd: λ > 0.
        kernel: `rbf` or `imq`.
        **parts: those of `ELBOModule`.
    """

    def __init__(self, *, alpha: float, lambda_mmd: float, kernel: str, **parts: Any) -> None:
        super().__init__(regularizer=MMD(alpha=alpha, lambda_mmd=lambda_mmd, kernel=kernel), **parts)


class WAE(ELBOModule):
    """distortion + λ · MMD²(q(z), p(z)), with a deterministic code. Tolstikhin et al. 2018, Eq. 4 (WAE-MMD).

    There is no rate: a point posterior has infinite KL to any prior.

    Args:
        lambda_mmd: λ > 0.
        kernel: `rbf` or `imq`.
        **parts: those of `ELBOModule`.
    """

    def __init__(self, *, lambda_mmd: float, kernel: str, **parts: Any) -> None:
        regularizer = MMD(alpha=1.0, lambda_mmd=lambda_mmd, kernel=kernel)
        # a bounded code could not be distributed as N(0, I)
        super().__init__(regularizer=regularizer, posterior=partial(DeltaPosterior, activation="Identity"), **parts)
