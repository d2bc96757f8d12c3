"""The VAE with finite scalar quantization."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from vae_lightning.distributions import FiniteScalarQuantizer
from vae_lightning.models.vq_vae import QuantizedVAE
from vae_lightning.regularizers import CodeUsage


class FSQVAE(QuantizedVAE):
    """Distortion only; each latent is rounded to one of a few levels. Mentzer et al. 2023.

    There is no codebook to learn, hence no codebook or commitment loss and no unused codes. A code consists of as many
    latents as there are levels, and there are K = Π L_i codes.

    Args:
        levels: L_i, the number of levels of each latent of a code. Table 1 of the paper recommends [8, 6, 5] for
            K = 240, [8, 5, 5, 5] for 1,000 and [7, 5, 5, 5, 5] for 4,375.
        latent_dim: number of latents, for a map at each position; a multiple of the number of levels.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if the number of levels does not divide latent_dim.
    """

    def __init__(self, *, levels: Sequence[int] = (8, 5, 5, 5), latent_dim: int = 4, **kwargs: Any) -> None:
        super().__init__(
            regularizer=CodeUsage(),
            own_posterior=partial(FiniteScalarQuantizer, levels=levels),
            latent_dim=latent_dim,
            **kwargs,
        )
