"""Lookup-free quantization: each latent is replaced by its sign, without a learned codebook."""

import torch
from torch import Tensor

from vae_lightning.distributions.codes import Codes, Quantizer, as_latents
from vae_lightning.errors import UserError
from vae_lightning.types import LatentShape

MAX_CODE_DIM = 20  # the use of all 2^d codes is counted


class LookupFreeQuantizer(Quantizer):
    """Replaces each value of a vector by its sign, -1 or 1, and 0 by -1. Yu et al. 2023, section 3.1, Eqs. 3 and 4.

    The codebook is {-1, 1}^d, K = 2^d. The index of a code is the sum of 2^i over its positive values i = 0, ..., d-1.

    Args:
        num_features: F.
        latent_shape: D, or the shape (C, h, w) of a map.
        code_dim: d, from 1 to 20.

    Raises:
        UserError: if code_dim is larger, or does not divide the number of latents.
    """

    signs: Tensor  # (2,)
    basis: Tensor  # (d,)

    def __init__(self, num_features: int, latent_shape: LatentShape, *, code_dim: int) -> None:
        if code_dim > MAX_CODE_DIM:
            raise UserError(f"model.code_dim={code_dim}: must be at most {MAX_CODE_DIM}, which gives 2^code_dim codes.")
        super().__init__(num_features, latent_shape, code_dim=code_dim, codebook_size=2**code_dim)
        self.register_buffer("signs", torch.tensor([-1.0, 1.0]), persistent=False)
        self.register_buffer("basis", 2 ** torch.arange(code_dim), persistent=False)

    def forward(self, features: Tensor) -> Codes:
        """Map features to codes."""
        vectors = self.vectors(features)
        bits = (vectors > 0).long()
        return Codes(vectors, self.signs[bits], (bits * self.basis).sum(-1), self.codebook_size, self.grid_size)

    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (B, P) and return their codes as latents, (B, P·d)."""
        return as_latents(self.signs[indices[..., None] // self.basis % 2], self.grid_size)
