"""The VAE with a rising capacity."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import Capacity


class AnnealedVAE(ELBOModule):
    """distortion + γ · |KL - C(t)|. Burgess et al. 2018, Eq. 8. C(t) rises from 0 to C with the warm-up.

    Args:
        gamma: γ ≥ 0.
        capacity: C ≥ 0, in nats.
        **parts: those of `ELBOModule`.
    """

    def __init__(self, *, gamma: float, capacity: float, **parts: Any) -> None:
        super().__init__(regularizer=Capacity(gamma=gamma, capacity=capacity), **parts)
