"""The β-TCVAE."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import TotalCorrelation


class BetaTCVAE(ELBOModule):
    """distortion + α · I(x; z) + β · TC(z) + γ · Σ_d KL(q(z_d) || p(z_d)). Chen et al. 2018, Eq. 4.

    Args:
        beta: β >= 0, the weight of the total correlation; with α = γ = 1, β = 1 gives the VAE.
        alpha: α >= 0.
        gamma: γ >= 0.
        estimator: of log q(z), `stratified` or `weighted`; see `regularizers.total_correlation.log_weights`.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(
        self,
        *,
        beta: float = 6.0,
        alpha: float = 1.0,
        gamma: float = 1.0,
        estimator: str = "stratified",
        **kwargs: Any,
    ) -> None:
        regularizer = TotalCorrelation(alpha=alpha, beta=beta, gamma=gamma, estimator=estimator)
        super().__init__(regularizer=regularizer, **kwargs)
