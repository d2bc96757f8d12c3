"""The VAE with residual vector quantization."""

from functools import partial
from typing import Any

from vae_lightning.distributions import ResidualQuantizer
from vae_lightning.models.vq_vae import QuantizedVAE
from vae_lightning.regularizers import Quantization


class RVQVAE(QuantizedVAE):
    """distortion + β · Σ_n ‖f - sg[e_1 + ... + e_n]‖², n = 1, ..., N. RQ-VAE, Lee et al. 2022, section 3.1, Eq. 7.

    Each vector is the sum of N codes, each the nearest to the residual of the previous ones, so K^N values with a
    codebook of K, which is updated by moving averages. `perplexity` and `codes_in_use` are of the indices of all depths
    together.

    Args:
        beta: β > 0, the weight of the commitment loss.
        latent_dim: number of latents, for a map at each position.
        code_dim: d.
        codebook_size: K.
        depth: N, the number of codes per vector.
        shared_codebook: use one codebook for all depths, or else one each.
        decay: of the moving averages, in (0, 1).
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if code_dim does not divide latent_dim.
    """

    def __init__(
        self,
        *,
        beta: float = 0.25,
        latent_dim: int = 4,
        code_dim: int = 4,
        codebook_size: int = 64,
        depth: int = 4,
        shared_codebook: bool = True,
        decay: float = 0.99,
        **kwargs: Any,
    ) -> None:
        posterior = partial(
            ResidualQuantizer,
            code_dim=code_dim,
            codebook_size=codebook_size,
            depth=depth,
            shared_codebook=shared_codebook,
            decay=decay,
        )
        super().__init__(
            regularizer=Quantization(beta=beta, ema=True),
            own_posterior=posterior,
            latent_dim=latent_dim,
            **kwargs,
        )
