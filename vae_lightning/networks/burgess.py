"""The convolutional network of the literature on disentanglement."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from vae_lightning.errors import UserError
from vae_lightning.networks.base import Encoder, Network
from vae_lightning.networks.conv import Conv
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class Burgess(Network):
    """4 x 4 convolutions that halve the image to 4 x 4, then fully connected layers. Burgess et al. 2018, appendix.

    The paper's is of 64 x 64 images: 4 convolutions of 32 channels, 2 fully connected layers of 256, and ReLU. Here
    the smaller side is halved, at least once, until it is 4 or less: 3 convolutions for 32 x 32, 5 for 128 x 128.

    Args:
        width: the channels of each convolution.
        hidden_dims: the widths of the fully connected layers, from image to latent; the decoder reverses them.

    Raises:
        UserError: (in `encoder` and `decoder`) when a side is less than 4.
    """

    width: int
    hidden_dims: Sequence[int]

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """The condition joins the image as planes: (C + condition_dim, H, W)."""
        return self.conv(image_shape).encoder(image_shape, condition_dim)

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """The encoder in reverse."""
        return self.conv(output_shape).decoder(input_dim, output_shape)

    def conv(self, image_shape: Shape) -> Conv:
        """The network for images of this shape."""
        _, height, width = image_shape
        side = min(height, width)
        if side < 4:
            raise UserError(
                f"network: images of {height} x {width} are too small to be halved to 2 x 2 or more;"
                " type model/network=mlp"
            )
        halvings = 1
        while side // 2**halvings > 4:
            halvings += 1
        return Conv(
            channels=[self.width] * halvings,
            kernels=[4] * halvings,
            hidden_dims=self.hidden_dims,
            activation="ReLU",
            batch_norm=False,
        )
