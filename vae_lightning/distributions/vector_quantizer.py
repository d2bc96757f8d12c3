"""Vector quantization with a learned codebook."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import all_gather_rows, sum_across_processes
from vae_lightning.distributions.codes import Codes, Quantizer, as_latents, as_vectors
from vae_lightning.types import LatentShape

DEAD_CODE_FRACTION = 0.01  # a code is reset if it is used less than this fraction of uniform use


class VectorQuantizer(Quantizer):
    """Replaces each vector by the nearest of K learned codes.

    During training the codebook is updated by exponential moving averages of the features (van den Oord et al. 2017,
    appendix A.1) or, with `ema=False`, by the codebook loss. Rarely used codes are reset to random features of the
    batch. Initially, all codes are unused and therefore reset.

    Args:
        num_features: F.
        latent_shape: D, or the shape (C, h, w) of a map.
        code_dim: d.
        codebook_size: K.
        ema: whether to update the codebook by moving averages.
        decay: γ of the moving averages, including that of code usage.

    Raises:
        UserError: if code_dim does not divide latent_dim.
    """

    embedding: Tensor  # (K, d)
    use: Tensor  # (K,), moving average of the number of features per batch that are assigned to each code
    sums: Tensor  # (K, d), moving average of the sum of these features

    def __init__(
        self,
        num_features: int,
        latent_shape: LatentShape,
        *,
        code_dim: int,
        codebook_size: int,
        ema: bool,
        decay: float,
    ) -> None:
        super().__init__(num_features, latent_shape, code_dim=code_dim, codebook_size=codebook_size)
        self.ema, self.decay = ema, decay
        embedding = torch.randn(codebook_size, code_dim)
        if ema:
            self.register_buffer("embedding", embedding)
        else:
            self.embedding = nn.Parameter(embedding)
        self.register_buffer("use", torch.zeros(codebook_size))
        self.register_buffer("sums", torch.zeros(codebook_size, code_dim))

    def forward(self, features: Tensor) -> Codes:
        """Map features to codes; during training, update the codebook."""
        vectors = self.vectors(features)  # (B, P, d)
        flat = vectors.detach().flatten(0, 1)  # (B·P, d)
        if self.training:
            self.reset_dead_codes(all_gather_rows(vectors.detach()).flatten(0, 1))
        indices = self.nearest(flat)
        codes = F.embedding(indices, self.embedding).view_as(vectors)  # a copy, made before the update
        if self.training:
            self.update_ema(flat, indices)
        return Codes(vectors, codes, indices.view(vectors.shape[:2]), self.grid_size)

    def nearest(self, flat: Tensor) -> Tensor:
        """Return the index of the code nearest to each feature f (N, d), int64 (N,). The constant ‖f‖² is omitted."""
        codes = self.embedding.detach()
        with torch.autocast(flat.device.type, enabled=False):  # half precision would confuse nearby codes
            return (codes.square().sum(1) - 2 * flat @ codes.T).argmin(1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (B, P) and return their codes as latents, (B, P·d)."""
        return as_latents(F.embedding(indices, self.embedding), self.grid_size)

    def indices(self, z: Tensor) -> Tensor:
        """Return the indices of latents z (B, P·d) that are codes, int64 (B, P)."""
        vectors = as_vectors(z, self.code_dim, self.grid_size)
        return self.nearest(vectors.flatten(0, 1)).view(vectors.shape[:2])

    @torch.no_grad()
    def reset_dead_codes(self, flat: Tensor) -> None:
        """Reset each dead code to a random row of flat (N, d)."""
        uniform = len(flat) / len(self.use)
        dead = (self.use < DEAD_CODE_FRACTION * uniform)[:, None]
        new = broadcast_from_rank_zero(flat[torch.randint(len(flat), (len(self.use),), device=flat.device)])
        self.embedding.copy_(torch.where(dead, new, self.embedding))
        self.use.copy_(torch.where(dead[:, 0], uniform, self.use))
        self.sums.copy_(torch.where(dead, uniform * new, self.sums))

    @torch.no_grad()
    def update_ema(self, flat: Tensor, indices: Tensor) -> None:
        """Update the moving averages with features (N, d) and their indices (N,), and with `ema` also the codes."""
        use = torch.zeros_like(self.use).index_add_(0, indices, torch.ones_like(flat[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, indices, flat)
        self.use.lerp_(sum_across_processes(use), 1 - self.decay)
        self.sums.lerp_(sum_across_processes(sums), 1 - self.decay)
        if self.ema:
            self.embedding.copy_(self.sums / self.use.clamp_min(1e-6)[:, None])


def broadcast_from_rank_zero(x: Tensor) -> Tensor:
    """Broadcast x in place from process 0 to all processes and return it."""
    if torch.distributed.is_initialized():
        torch.distributed.broadcast(x, 0)
    return x
