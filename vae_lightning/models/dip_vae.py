"""The DIP-VAE."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import DIP


class DIPVAE(ELBOModule):
    """distortion + KL + λ_od · Σ_{i≠j} C_ij² + λ_d · Σ_i (C_ii - 1)². Kumar et al. 2018, Eqs. 6 (I) and 7 (II).

    Args:
        variant: `i`, where C is the covariance of the posterior means, or `ii`, where it is that of z.
        lambda_od: λ_od >= 0.
        lambda_d: λ_d >= 0.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(self, *, variant: str = "ii", lambda_od: float = 10.0, lambda_d: float = 10.0, **kwargs: Any) -> None:
        super().__init__(regularizer=DIP(variant=variant, lambda_od=lambda_od, lambda_d=lambda_d), **kwargs)
