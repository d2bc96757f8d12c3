"""The VAE with lookup-free quantization."""

from functools import partial
from typing import Any

from vae_lightning.distributions import LookupFreeQuantizer
from vae_lightning.models.vq_vae import QuantizedVAE
from vae_lightning.regularizers import LookupFreeQuantization


class LFQVAE(QuantizedVAE):
    """distortion + β · ‖f - sg[c]‖² + λ · (E[H(q(c|f))] - H(E[q(c|f)])) with c = sign(f). Yu et al. 2023, section 3.1.

    A code consists of d bits, so there are K = 2^d codes and no codebook to learn. The entropies, of soft assignments
    q, make the assignments certain and let all codes be used. `entropy_penalty` is their unweighted difference.

    Args:
        beta: β, the weight of the commitment loss.
        latent_dim: number of latents, for a map at each position; a multiple of code_dim.
        code_dim: d, from 1 to 20.
        entropy_weight: λ, the weight of the entropies.
        temperature: of the soft assignments; see `entropy_penalty` in `regularizers/quantization.py`.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if code_dim does not divide latent_dim, or is larger than 20.
    """

    def __init__(
        self,
        *,
        beta: float = 0.25,
        latent_dim: int = 10,
        code_dim: int = 10,
        entropy_weight: float = 1.0,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            regularizer=LookupFreeQuantization(beta=beta, entropy_weight=entropy_weight, temperature=temperature),
            own_posterior=partial(LookupFreeQuantizer, code_dim=code_dim),
            latent_dim=latent_dim,
            **kwargs,
        )
