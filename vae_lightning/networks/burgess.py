"""The convolutional network used in the disentanglement literature."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from vae_lightning.errors import UserError
from vae_lightning.networks.base import Encoder, Network
from vae_lightning.networks.conv import Conv
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class Burgess(Network):
    """4 x 4 convolutions that reduce the image to 4 x 4, then fully connected layers. Burgess et al. 2018, appendix.

    The paper uses 64 x 64 images: 4 convolutions with 32 channels, 2 fully connected layers with 256 units, and ReLU.
    For other sizes, convolutions are added until the smaller side is 4 or less, but at least one: 3 for 32 x 32, 5 for
    128 x 128. The defaults are those of the paper.

    Args:
        width: number of channels of each convolution.
        hidden_dims: widths of the fully connected layers, from image to latents; the decoder reverses them.

    Raises:
        UserError: (in `encoder` and `decoder`) if a side is less than 4.
    """

    width: int = 32
    hidden_dims: Sequence[int] = field(default_factory=lambda: [256, 256])

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build the encoder. The condition is appended to the image as constant planes: (C + condition_dim, H, W)."""
        return self.conv(image_shape).encoder(image_shape, condition_dim)

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder, which mirrors the encoder."""
        return self.conv(output_shape).decoder(input_dim, output_shape)

    def conv(self, image_shape: Shape) -> Conv:
        """Return the convolutional network for images of this shape.

        Raises:
            UserError: if a side is less than 4.
        """
        _, height, width = image_shape
        side = min(height, width)
        if side < 4:
            raise UserError(
                f"model.network: images of {height} x {width} are too small; each side must be at least 4."
                " Set model/network=mlp."
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
