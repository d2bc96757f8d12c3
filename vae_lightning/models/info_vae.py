"""InfoVAE and Wasserstein autoencoder, which match the aggregate posterior to the prior by MMD."""

from collections.abc import Sequence
from typing import Any

from vae_lightning.distributions import DeltaPosterior
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import MMD


class InfoVAE(ELBOModule):
    """distortion + (1-α) · KL(q(z|x) || p(z)) + (α+λ-1) · MMD²(q(z), p(z)). Zhao et al. 2017, section 3.

    Args:
        alpha: α <= 1; 1 gives the MMD-VAE, without a KL term.
        lambda_mmd: λ > 0.
        kernel: `rbf` or `imq`; for this and the next three, see `mmd`.
        bandwidth: s; None for 2D.
        bandwidth_factors: one kernel per factor of s.
        mmd_estimator: `unbiased` or `biased`.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.0,
        lambda_mmd: float = 1000.0,
        kernel: str = "rbf",
        bandwidth: float | None = None,
        bandwidth_factors: Sequence[float] = (1.0,),
        mmd_estimator: str = "unbiased",
        **kwargs: Any,
    ) -> None:
        regularizer = MMD(
            alpha=alpha,
            lambda_mmd=lambda_mmd,
            kernel=kernel,
            bandwidth=bandwidth,
            bandwidth_factors=bandwidth_factors,
            mmd_estimator=mmd_estimator,
        )
        super().__init__(regularizer=regularizer, **kwargs)


class WAE(InfoVAE):
    """distortion + λ · MMD²(q(z), p(z)), with a deterministic code. Tolstikhin et al. 2018, Eq. 4 (WAE-MMD).

    There is no rate, since a delta posterior has infinite KL to any prior.

    Args:
        kernel: `rbf` or `imq`; see `mmd`.
        **kwargs: those of `InfoVAE` but alpha, which is 1.
    """

    def __init__(self, *, kernel: str = "imq", **kwargs: Any) -> None:
        super().__init__(alpha=1.0, kernel=kernel, own_posterior=DeltaPosterior, **kwargs)
