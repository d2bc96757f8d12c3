"""A learned codebook: the nearest of K vectors, moving averages, and the reset of dead codes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import all_gather_rows, broadcast_from_rank_zero, sum_across_processes

DEAD_CODE_FRACTION = 0.01  # a code is reset if it is used less than this fraction of uniform use


class Codebook(nn.Module):
    """Replaces each vector by the nearest of K learned codes.

    During training the codebook is updated by exponential moving averages of the vectors (van den Oord et al. 2017,
    appendix A.1) or, with `ema=False`, by the gradient of a loss. Rarely used codes are reset to random vectors of the
    batch. Initially, all codes are unused and therefore reset.

    Args:
        codebook_size: K.
        code_dim: d.
        ema: whether to update the codebook by moving averages.
        decay: γ of the moving averages, including that of code usage.
    """

    embedding: Tensor  # (K, d)
    use: Tensor  # (K,), moving average of the number of vectors per batch that are assigned to each code
    sums: Tensor  # (K, d), moving average of the sum of these vectors

    def __init__(self, codebook_size: int, code_dim: int, *, ema: bool, decay: float) -> None:
        super().__init__()
        self.ema, self.decay = ema, decay
        embedding = torch.randn(codebook_size, code_dim)
        if ema:
            self.register_buffer("embedding", embedding)
        else:
            self.embedding = nn.Parameter(embedding)
        self.register_buffer("use", torch.zeros(codebook_size))
        self.register_buffer("sums", torch.zeros(codebook_size, code_dim))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize vectors (B, P, d); during training, update the codebook.

        Returns:
            (codes, their indices), (B, P, d) and int64 (B, P). The codes have a gradient with `ema=False` only.
        """
        vectors = vectors.detach()
        flat = vectors.flatten(0, 1)  # (B·P, d)
        if self.training:
            self.reset_dead_codes(all_gather_rows(vectors).flatten(0, 1))
        indices = self.nearest(flat)
        codes = self.lookup(indices).view_as(vectors)  # a copy, made before the update
        if self.training:
            self.update_ema(flat, indices)
        return codes, indices.view(vectors.shape[:2])

    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (...) and return their codes, (..., d)."""
        return F.embedding(indices, self.embedding)

    def nearest(self, flat: Tensor) -> Tensor:
        """Return the index of the code nearest to each vector f (N, d), int64 (N,). The constant ‖f‖² is omitted."""
        codes = self.embedding.detach()
        with torch.autocast(flat.device.type, enabled=False):  # half precision would confuse nearby codes
            return (codes.square().sum(1) - 2 * flat @ codes.T).argmin(1)

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
        """Update the moving averages with vectors (N, d) and their indices (N,), and with `ema` also the codes."""
        use = torch.zeros_like(self.use).index_add_(0, indices, torch.ones_like(flat[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, indices, flat)
        self.use.lerp_(sum_across_processes(use), 1 - self.decay)
        self.sums.lerp_(sum_across_processes(sums), 1 - self.decay)
        if self.ema:
            self.embedding.copy_(self.sums / self.use.clamp_min(1e-6)[:, None])
