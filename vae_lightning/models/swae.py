"""The sliced-Wasserstein autoencoder."""

from typing import Any

from vae_lightning.distributions import DeltaPosterior
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import SlicedWasserstein


class SWAE(ELBOModule):
    """distortion + λ · SW_p^p(q(z), p(z)), with a deterministic code. Kolouri et al. 2018, section 3.

    There is no rate, since a delta posterior has infinite KL to any prior.

    Args:
        lambda_sw: λ >= 0; 0 gives the autoencoder.
        num_projections: L, the number of random directions per batch.
        power: p >= 1.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(
        self, *, lambda_sw: float = 100.0, num_projections: int = 50, power: float = 2.0, **kwargs: Any
    ) -> None:
        regularizer = SlicedWasserstein(lambda_sw=lambda_sw, num_projections=num_projections, power=power)
        super().__init__(regularizer=regularizer, own_posterior=DeltaPosterior, **kwargs)
