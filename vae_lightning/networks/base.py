"""Interfaces of encoders and networks."""

from abc import ABC, abstractmethod
from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from vae_lightning.config.serialization import Configurable
from vae_lightning.types import LatentShape, Shape


class Encoder(nn.Module, ABC):
    """Maps images (B, C, H, W), and optionally a condition (B, K), to features (B, num_features).

    Attributes:
        num_features: F.
    """

    num_features: int

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return features (B, num_features)."""


class Network(Configurable, ABC):
    """Builds a matching pair of encoder and decoder for a given image shape.

    To add a network, write one class with the methods `encoder` and `decoder` and one file in `conf/model/network/`.

    Attributes:
        multi_resolution: whether the decoder receives latents at several resolutions, which few models support.
    """

    multi_resolution: ClassVar[bool] = False

    @abstractmethod
    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build an encoder.

        Args:
            image_shape: (C, H, W).
            condition_dim: K, the size of the condition, or 0 for none.
        """

    @abstractmethod
    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build a decoder, a module that maps (B, input_dim) to (B, *output_shape) without a final activation."""

    def latent_shape(self, image_shape: Shape, latent_dim: int) -> LatentShape:
        """Return the shape of the latents of an image: here a vector."""
        return latent_dim

    def build_decoder(self, latent_shape: LatentShape, condition_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder, from latents and a condition (B, D + K) to (B, *output_shape)."""
        assert isinstance(latent_shape, int)
        return self.decoder(latent_shape + condition_dim, output_shape)


class SpatialNetwork(Network):
    """Base class of networks whose latents form a map, with `model.latent_dim` channels at each of h x w positions.

    The encoder returns feature maps (B, F, h, w). The decoder receives maps (B, input_dim, h, w), whose channels are
    those of the latents followed by the condition as constant planes. Everywhere else in this package latents are
    vectors, here of D = C·h·w values in the order (C, h, w), so every objective, prior, metric and figure applies.
    """

    @abstractmethod
    def grid(self, image_shape: Shape) -> tuple[int, int]:
        """Return the number of positions in each direction, (h, w)."""

    def latent_shape(self, image_shape: Shape, latent_dim: int) -> LatentShape:
        """Return the shape of the latents of an image: a map (C, h, w)."""
        return (latent_dim, *self.grid(image_shape))

    def build_decoder(self, latent_shape: LatentShape, condition_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder, from latents and a condition (B, D + K) to (B, *output_shape)."""
        assert not isinstance(latent_shape, int)
        input_dim = latent_shape[0] + condition_dim
        return nn.Sequential(VectorToMap(latent_shape), self.decoder(input_dim, output_shape))


class VectorToMap(nn.Module):
    """Maps latents and a condition (B, C·h·w + K) to (B, C + K, h, w), with the condition as constant planes.

    Args:
        shape: (C, h, w).
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return the map."""
        latents, condition = x[:, : prod(self.shape)].unflatten(1, self.shape), x[:, prod(self.shape) :]
        return append_planes(latents, condition)


def append_planes(maps: Tensor, condition: Tensor) -> Tensor:
    """Append a condition (B, K) to maps (B, C, h, w) as constant planes: (B, C + K, h, w)."""
    planes = condition[:, :, None, None].expand(-1, -1, *maps.shape[2:])
    return torch.cat([maps, planes], dim=1)
