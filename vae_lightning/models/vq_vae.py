"""The VQ-VAE."""

from collections.abc import Callable
from functools import partial
from typing import Any

from vae_lightning.distributions import Prior, Quantizer, VectorQuantizer
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.networks import SpatialResNet
from vae_lightning.priors import UniformCodes
from vae_lightning.regularizers import Quantization


class QuantizedVAE(ELBOModule):
    """Base class of models whose posterior is a `Quantizer`, with all codes equally likely a priori.

    Args:
        prior: builds a `UniformCodes`.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if it builds another prior.
    """

    default_network = SpatialResNet
    posterior: Quantizer

    def __init__(self, *, prior: Callable[..., Prior] = UniformCodes, **kwargs: Any) -> None:
        super().__init__(prior=prior, **kwargs)
        if not isinstance(self.prior, UniformCodes):
            raise UserError(
                f"model/prior: {type(self).__name__} has equally likely codes. Set model/prior=uniform_codes."
            )


class VQVAE(QuantizedVAE):
    """distortion + ‖sg[f] - e‖² + β · ‖f - sg[e]‖². van den Oord et al. 2017, Eq. 3.

    The latent consists of P codes, each one of K vectors, under a uniform prior: P = latent_dim / code_dim, for a map
    with h x w positions times h·w. `perplexity` is the effective number of codes that a batch uses, `codes_in_use` the
    fraction of the codebook.

    Args:
        beta: β > 0, the weight of the commitment loss.
        latent_dim: number of latents, for a map at each position.
        code_dim: d.
        codebook_size: K.
        ema: update the codebook by exponential moving averages, or else by its loss.
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
        ema: bool = True,
        decay: float = 0.99,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            regularizer=Quantization(beta=beta, ema=ema),
            own_posterior=partial(
                VectorQuantizer, code_dim=code_dim, codebook_size=codebook_size, ema=ema, decay=decay
            ),
            latent_dim=latent_dim,
            **kwargs,
        )
