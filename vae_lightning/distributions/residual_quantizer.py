"""Residual quantization: a vector is approximated by a sum of codes, from coarse to fine."""

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from vae_lightning.distributions.codebook import Codebook
from vae_lightning.distributions.codes import Codes, Quantizer, as_latents
from vae_lightning.types import LatentShape


class ResidualQuantizer(Quantizer):
    """Approximates each vector by the sum of N codes, each the nearest to the residual of the previous ones.

    r_0 = f, k_n = argmin_k ‖r_{n-1} - e(k)‖, r_n = r_{n-1} - e(k_n), for depths n = 1, ..., N (Lee et al. 2022, section
    3.1). Each image has P·N indices: the N indices of a vector are consecutive, from coarse to fine. A codebook shared
    by all depths is updated after each of them. Since the choice is greedy, the sum of any N codes need not be
    quantized to the same N indices again.

    Args:
        num_features: F.
        latent_shape: D, or the shape (C, h, w) of a map.
        code_dim: d.
        codebook_size: K.
        depth: N.
        shared_codebook: whether all depths use one codebook, or else one each.
        decay: γ of the moving averages; see `Codebook`.

    Raises:
        UserError: if code_dim does not divide latent_dim.
    """

    def __init__(
        self,
        num_features: int,
        latent_shape: LatentShape,
        *,
        code_dim: int,
        codebook_size: int,
        depth: int,
        shared_codebook: bool,
        decay: float,
    ) -> None:
        super().__init__(num_features, latent_shape, code_dim=code_dim, codebook_size=codebook_size)
        self.depth = depth
        self.num_codes *= depth
        self.codebooks = nn.ModuleList(
            Codebook(codebook_size, code_dim, ema=True, decay=decay) for _ in range(1 if shared_codebook else depth)
        )

    def forward(self, features: Tensor) -> Codes:
        """Map features to codes; during training, update the codebooks."""
        vectors = self.vectors(features)
        residual, codes, indices = vectors.detach(), [], []
        for codebook in self.codebook_per_depth():
            code, index = codebook(residual)
            residual = residual - code
            codes.append(code)
            indices.append(index)
        partial_sums = torch.stack([*accumulate(codes)])
        flat_indices = torch.stack(indices, dim=2).flatten(1)  # (B, P·N)
        return Codes(vectors, partial_sums[-1], flat_indices, self.codebook_size, self.grid_size, partial_sums)

    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (B, P·N) and return the sums of their codes as latents, (B, P·d)."""
        by_depth = indices.unflatten(1, (-1, self.depth)).unbind(2)
        codes = [book.lookup(index) for book, index in zip(self.codebook_per_depth(), by_depth, strict=True)]
        *_, total = accumulate(codes)  # in the order of `forward`, to be equal to the last bit
        return as_latents(total, self.grid_size)

    def codebook_per_depth(self) -> list[Any]:
        """Return the `Codebook` of each depth."""
        return [*self.codebooks] * (self.depth // len(self.codebooks))
