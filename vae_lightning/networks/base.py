"""What a network is: a recipe for an encoder and the decoder that mirrors it."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from vae_lightning.types import Shape


class Encoder(nn.Module, ABC):
    """Images (B, C, H, W), and a condition (B, K) where there is one, to features (B, num_features)."""

    num_features: int

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return features (B, num_features)."""


class Network(ABC):
    """A matching pair of encoder and decoder, for images of any shape.

    To add a network, write one class with these two methods and one file in `conf/model/network/`.

    Attributes:
        code_activation: the `torch.nn` module that bounds the code of an autoencoder built on this network. The latent
            of a variational model is never bounded.
    """

    code_activation: ClassVar[str] = "Identity"

    @abstractmethod
    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build the encoder of images of this shape, and of a condition of `condition_dim` numbers (0: none)."""

    @abstractmethod
    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build a module that maps (B, input_dim) to (B, *output_shape), with no activation at its end."""
