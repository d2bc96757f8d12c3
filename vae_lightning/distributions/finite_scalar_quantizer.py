"""Finite scalar quantization: each latent is rounded to one of a few levels, without a learned codebook."""

from collections.abc import Sequence
from math import atanh, prod

import torch
from torch import Tensor

from vae_lightning.distributions.codes import Codes, Quantizer, as_latents
from vae_lightning.types import LatentShape

MARGIN = 1e-3  # how far tanh may go beyond the outer levels, so that their gradient does not vanish


class FiniteScalarQuantizer(Quantizer):
    """Bounds each value of a vector and rounds it to one of L_i levels in [-1, 1]. Mentzer et al. 2023, section 3.1.

    The codebook is the product of the levels, K = Π L_i, and every code is used as soon as the values spread.

    Args:
        num_features: F.
        latent_shape: D, or the shape (C, h, w) of a map.
        levels: L_i >= 2, one per value of a vector, so d is their number.

    Raises:
        UserError: if the number of levels does not divide the number of latents.
    """

    levels: Tensor  # (d,)
    basis: Tensor  # (d,), the product of all levels before each one

    def __init__(self, num_features: int, latent_shape: LatentShape, *, levels: Sequence[int]) -> None:
        super().__init__(num_features, latent_shape, code_dim=len(levels), codebook_size=prod(levels))
        basis = [prod(levels[:i]) for i in range(len(levels))]
        half_widths = [(level - 1) * (1 + MARGIN) / 2 for level in levels]
        offsets = [0.5 * (level % 2 == 0) for level in levels]  # an even number of levels is not symmetric about 0
        shifts = [atanh(offset / width) for offset, width in zip(offsets, half_widths, strict=True)]
        for name, values in {"levels": levels, "basis": basis}.items():
            self.register_buffer(name, torch.tensor(list(values)), persistent=False)
        for name, numbers in {"half_widths": half_widths, "offsets": offsets, "shifts": shifts}.items():
            self.register_buffer(name, torch.tensor(numbers), persistent=False)

    def forward(self, features: Tensor) -> Codes:
        """Map features to codes."""
        bounded = self.bound(self.vectors(features))
        rounded = bounded.round()
        indices = ((rounded.long() + self.levels // 2) * self.basis).sum(-1)
        scale = self.levels // 2
        return Codes(bounded / scale, rounded / scale, indices, self.codebook_size, self.grid_size)

    def bound(self, vectors: Tensor) -> Tensor:
        """Map vectors (B, P, d) smoothly to the range of the integers -⌊L_i/2⌋, ..., ⌈L_i/2⌉ - 1, with 0 at 0."""
        half_widths, offsets, shifts = (self.get_buffer(name) for name in ("half_widths", "offsets", "shifts"))
        return torch.tanh(vectors + shifts) * half_widths - offsets

    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (B, P) and return their codes as latents, (B, P·d)."""
        digits = indices[..., None] // self.basis % self.levels
        return as_latents((digits - self.levels // 2) / (self.levels // 2), self.grid_size)
