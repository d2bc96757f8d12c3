"""Interfaces of encoders and networks."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from vae_lightning.config.serialization import Configurable
from vae_lightning.types import Shape


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

    To add a network, write one class with these two methods and one file in `conf/model/network/`.

    Attributes:
        code_activation: name of the `torch.nn` module that is applied to the code of an autoencoder with this network.
            The latents of a variational model are never bounded.
    """

    code_activation: ClassVar[str] = "Identity"

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
