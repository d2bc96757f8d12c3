"""Discrete codes: a posterior that puts all its mass on the nearest entries of a codebook."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import all_gather_rows, sum_across_processes
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError

DEAD_CODE_FRACTION = 0.01  # a code used less than this, relative to equal use of all, is revived


class Codes(NamedTuple):
    """P codes an image.

    Attributes:
        features: what the encoder asked for, (B, P, d).
        codes: the nearest entries of the codebook, (B, P, d).
        indices: which these are, int64 (B, P).
    """

    features: Tensor
    codes: Tensor
    indices: Tensor

    @property
    def mean(self) -> Tensor:
        """The codes, (B, P·d)."""
        return self.codes.flatten(1)

    def rsample(self) -> Tensor:
        """The codes, (B, P·d), with the gradient of the features. van den Oord et al. 2017, section 3.2."""
        return (self.features + (self.codes - self.features).detach()).flatten(1)


class VectorQuantizer(nn.Module):
    """Features (B, F) -> Codes: one linear layer to P vectors, each replaced by the nearest of K codes.

    In training mode the codebook follows the features: by exponential moving averages (van den Oord et al. 2017,
    appendix A.1), or, with `ema=False`, by the codebook loss alone. A code that is hardly used begins anew at a feature
    of the batch; at the very start that is every code.

    Args:
        num_features: F.
        latent_dim: P·d, what the decoder is given.
        code_dim: d.
        codebook_size: K.
        ema: whether the codebook follows by moving averages.
        decay: γ of the moving averages, also that of each code's use.

    Raises:
        UserError: when code_dim does not divide latent_dim.
    """

    embedding: Tensor  # (K, d)
    use: Tensor  # (K,): how often a batch asks for each code, moving average
    sums: Tensor  # (K, d): the sum of the features that did, moving average

    def __init__(
        self, num_features: int, latent_dim: int, *, code_dim: int, codebook_size: int, ema: bool, decay: float
    ) -> None:
        super().__init__()
        if latent_dim % code_dim:
            raise UserError(f"model.latent_dim={latent_dim}: type a multiple of model.code_dim={code_dim}")
        self.positions = latent_dim // code_dim
        self.ema, self.decay = ema, decay
        self.features = nn.Linear(num_features, latent_dim)
        embedding = torch.randn(codebook_size, code_dim)
        if ema:
            self.register_buffer("embedding", embedding)
        else:
            self.embedding = nn.Parameter(embedding)
        self.register_buffer("use", torch.zeros(codebook_size))
        self.register_buffer("sums", torch.zeros(codebook_size, code_dim))

    def forward(self, features: Tensor) -> Codes:
        """Map features (B, F) to codes; in training mode, update the codebook with them."""
        asked = promote_to_float32(self.features(features)).unflatten(1, (self.positions, -1))  # (B, P, d)
        flat = asked.detach().flatten(0, 1)  # (B·P, d)
        if self.training:
            self.reset_dead_codes(all_gather_rows(asked.detach()).flatten(0, 1))
        indices = self.nearest(flat)
        codes = F.embedding(indices, self.embedding).view_as(asked)  # before the update: what the features met
        if self.training:
            self.update_ema(flat, indices)
        return Codes(asked, codes, indices.view(asked.shape[:2]))

    def nearest(self, flat: Tensor) -> Tensor:
        """The index of the code nearest to each of (N, d), int64 (N,); ‖f‖² is the same for all codes and left out."""
        codes = self.embedding.detach()
        with torch.autocast(flat.device.type, enabled=False):  # in half precision near codes would be mistaken
            return (codes.square().sum(1) - 2 * flat @ codes.T).argmin(1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Indices (B, P) to what the decoder is given, (B, P·d)."""
        return F.embedding(indices, self.embedding).flatten(1)

    @torch.no_grad()
    def reset_dead_codes(self, flat: Tensor) -> None:
        """Let each dead code begin anew at a random feature."""
        fair = len(flat) / len(self.use)
        dead = (self.use < DEAD_CODE_FRACTION * fair)[:, None]
        new = broadcast_from_rank_zero(flat[torch.randint(len(flat), (len(self.use),), device=flat.device)])
        self.embedding.copy_(torch.where(dead, new, self.embedding))
        self.use.copy_(torch.where(dead[:, 0], fair, self.use))
        self.sums.copy_(torch.where(dead, fair * new, self.sums))

    @torch.no_grad()
    def update_ema(self, flat: Tensor, indices: Tensor) -> None:
        """Update the moving averages, and with `ema` the codes."""
        use = torch.zeros_like(self.use).index_add_(0, indices, torch.ones_like(flat[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, indices, flat)
        self.use.lerp_(sum_across_processes(use), 1 - self.decay)
        self.sums.lerp_(sum_across_processes(sums), 1 - self.decay)
        if self.ema:
            self.embedding.copy_(self.sums / self.use.clamp_min(1e-6)[:, None])


def broadcast_from_rank_zero(x: Tensor) -> Tensor:
    """The same in all processes: that of the first."""
    if torch.distributed.is_initialized():
        torch.distributed.broadcast(x, 0)
    return x
