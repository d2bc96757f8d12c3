"""The VAE with free bits."""

from typing import Any

from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import FreeBits


class FreeBitsVAE(ELBOModule):
    """distortion + Σ_g max(λ, KL of group g). Kingma et al. 2016; see `FreeBits`.

    Args:
        free_bits: λ >= 0, in nats per group; 0 gives the VAE.
        group_size: number of latents in a group, which divides their number.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if group_size does not divide the number of latents.
    """

    def __init__(self, *, free_bits: float = 0.5, group_size: int = 1, **kwargs: Any) -> None:
        super().__init__(regularizer=FreeBits(free_bits=free_bits, group_size=group_size), **kwargs)
        if self.latent_dim % group_size:
            raise UserError(
                f"model.group_size={group_size}: must divide {self.latent_dim}, the number of latents. Set"
                " model.group_size=1."
            )
