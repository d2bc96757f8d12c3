"""The VAE with a rising capacity."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import Capacity


class AnnealedVAE(ELBOModule):
    """distortion + γ · |KL - C(t)|. Burgess et al. 2018, Eq. 8. C(t) rises from C(0) to C during the warm-up.

    Args:
        gamma: γ >= 0.
        capacity: C >= 0, in nats.
        initial_capacity: C(0) >= 0, in nats.
        **kwargs: those of `ELBOModule`.
    """

    def __init__(
        self, *, gamma: float = 1000.0, capacity: float = 25.0, initial_capacity: float = 0.0, **kwargs: Any
    ) -> None:
        regularizer = Capacity(gamma=gamma, capacity=capacity, initial_capacity=initial_capacity)
        super().__init__(regularizer=regularizer, **kwargs)
