"""Networks for the velocity of a flow at a point, a time and a condition."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vae_lightning.networks.resnet import SelfAttention, conv2d, group_norm, norm_activation
from vae_lightning.types import LatentShape

VECTOR_FEATURES = 4  # per channel that a map would have
MAX_FREQUENCY = 1000.0  # of the time embedding, in radians per unit of time


class ModulatedBlock(nn.Module):
    """x + f(norm(x) · (1 + scale) + shift), with scale and shift from an embedding. Perez et al. 2018.

    Args:
        norm: of (B, features, ...).
        residual: f.
        features: of x.
        embedding_dim: E.
    """

    def __init__(self, norm: nn.Module, residual: Sequence[nn.Module], features: int, embedding_dim: int) -> None:
        super().__init__()
        self.norm, self.residual = norm, nn.Sequential(*residual)
        self.modulation = nn.Linear(embedding_dim, 2 * features)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map (B, features, ...) to the same shape, given (B, E)."""
        modulation = self.modulation(embedding)
        scale, shift = modulation[(..., *[None] * (x.dim() - 2))].chunk(2, dim=1)
        return x + self.residual(self.norm(x) * (1 + scale) + shift)


class Velocity(nn.Module):
    """Residual blocks: fully connected for a vector of latents, convolutional with self-attention for a map.

    The last layer is initialized to 0, so that training starts from the velocity 0.

    Args:
        latent_shape: D, or the shape (C, h, w) of a map.
        width: number of channels for a map; a vector gets `VECTOR_FEATURES` times as many features.
        blocks: number of residual blocks.
    """

    def __init__(self, latent_shape: LatentShape, width: int, blocks: int) -> None:
        super().__init__()
        self.latent_shape = latent_shape
        self.embedding_dim = VECTOR_FEATURES * width
        frequencies = torch.logspace(0, math.log10(MAX_FREQUENCY), max(1, width // 2))
        self.time = nn.Sequential(
            nn.Linear(2 * len(frequencies), self.embedding_dim),
            nn.SiLU(),
            nn.Linear(self.embedding_dim, self.embedding_dim),
        )
        self.register_buffer("frequencies", frequencies, persistent=False)
        if isinstance(latent_shape, int):
            features = VECTOR_FEATURES * width
            self.first: nn.Module = nn.Linear(latent_shape, features)
            self.last: nn.Linear | nn.Conv2d = nn.Linear(features, latent_shape)
            self.attention: nn.Module = nn.Identity()
            self.blocks = nn.ModuleList(self.linear_block(features) for _ in range(blocks))
        else:
            self.first, self.last = conv2d(latent_shape[0], width), conv2d(width, latent_shape[0])
            self.attention = SelfAttention(width)
            self.blocks = nn.ModuleList(self.conv_block(width) for _ in range(blocks))
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def linear_block(self, features: int) -> ModulatedBlock:
        """Return a block for vectors."""
        residual = [nn.Linear(features, features), nn.SiLU(), nn.Linear(features, features)]
        return ModulatedBlock(nn.LayerNorm(features), residual, features, self.embedding_dim)

    def conv_block(self, channels: int) -> ModulatedBlock:
        """Return a block for maps."""
        residual = [nn.SiLU(), conv2d(channels, channels), *norm_activation(channels), conv2d(channels, channels)]
        return ModulatedBlock(group_norm(channels), residual, channels, self.embedding_dim)

    def forward(self, u: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Return the velocity (B, D) at points u (B, D) and times t (B,), given an embedding (B, embedding_dim)."""
        angles = t[:, None] * self.get_buffer("frequencies")
        embedding = self.time(torch.cat([angles.sin(), angles.cos()], dim=1)) + condition
        x = self.first(u if isinstance(self.latent_shape, int) else u.unflatten(1, self.latent_shape))
        for i, block in enumerate(self.blocks):
            x = block(x, embedding)
            if i == len(self.blocks) // 2:
                x = self.attention(x)
        return self.last(x).flatten(1)
