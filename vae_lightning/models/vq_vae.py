"""The VQ-VAE."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import VectorQuantizer
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import Quantization


class VQVAE(ELBOModule):
    """distortion + ‖sg[f] - e‖² + β · ‖f - sg[e]‖². van den Oord et al. 2017, Eq. 3.

    The latent is P = latent_dim / code_dim codes, each one of K vectors, under a uniform prior. `perplexity` is how
    many codes a batch uses, as if evenly.

    Args:
        beta: β > 0, the commitment.
        latent_dim: P·d, the number of values that the decoder is given.
        code_dim: d.
        codebook_size: K.
        ema: whether the codebook follows by moving averages or by its loss.
        decay: that of the moving averages, in (0, 1).
        **parts: the others of `ELBOModule`.

    Raises:
        UserError: when code_dim does not divide latent_dim.
    """

    posterior: VectorQuantizer

    def __init__(
        self, *, beta: float, code_dim: int, codebook_size: int, ema: bool, decay: float, **parts: Any
    ) -> None:
        super().__init__(
            regularizer=Quantization(beta=beta, codebook_size=codebook_size, ema=ema),
            posterior=partial(VectorQuantizer, code_dim=code_dim, codebook_size=codebook_size, ema=ema, decay=decay),
            **parts,
        )
        self.codebook_size = codebook_size

    def sample_prior(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, every code equally likely, (n, P·d)."""
        indices = torch.randint(self.codebook_size, (n, self.posterior.positions), generator=generator)
        return self.posterior.lookup(indices.to(self.device))
