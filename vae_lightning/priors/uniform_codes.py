"""The uniform prior over codes."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import random_integers
from vae_lightning.distributions import Quantizer
from vae_lightning.distributions.prior import FixedPrior
from vae_lightning.errors import UserError


class UniformIndices(NamedTuple):
    """Independent indices, each of K equally likely codes.

    Attributes:
        num_codes: P, the number of indices per image.
        codebook_size: K.
        zeros: (1, D), for the type and the device of results.
    """

    num_codes: int
    codebook_size: int
    zeros: Tensor

    def log_prob(self, indices: Tensor) -> Tensor:
        """Compute the log probability of indices (B, P), -P · log K each, (B,), in nats."""
        return self.zeros.new_full((len(indices),), -self.num_codes * math.log(self.codebook_size))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw indices, int64 (n, P)."""
        return random_integers(self.codebook_size, n, self.num_codes, generator=generator).to(self.zeros.device)


class UniformCodes(FixedPrior):
    """All codes are equally likely, independently at all positions. van den Oord et al. 2017, section 3.1.

    Args:
        posterior: the model's quantizer.
        **shapes: those of `FixedPrior`.

    Raises:
        UserError: if the latents are not codes.
    """

    is_discrete = True

    def __init__(self, *, posterior: nn.Module, **shapes: Any) -> None:
        super().__init__(**shapes)
        if not isinstance(posterior, Quantizer):
            raise UserError("model/prior=uniform_codes: requires codes. Set model=vq_vae.")
        self.num_codes, self.codebook_size = posterior.num_codes, posterior.codebook_size

    def forward(self, encode: Any, condition: Tensor | None) -> UniformIndices:
        """Return the distribution, the same for every image."""
        return UniformIndices(self.num_codes, self.codebook_size, self.zeros)
