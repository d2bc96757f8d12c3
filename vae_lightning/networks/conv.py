"""Convolutional networks that halve the image at each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from vae_lightning.errors import UserError
from vae_lightning.networks.base import Encoder, Network, Shape


@dataclass(frozen=True, kw_only=True)
class Conv(Network):
    """Convolutions of stride 2 and padding 1 with ReLU, and their reverse. vae-cvae-mnist, Tables 1 and 2.

    The paper's is channels [32, 64, 128] and kernels [4, 4, 3]: 28 -> 14 -> 7 -> 4, 2048 features. A kernel of 4 takes
    a side of n to n // 2, one of 3 to (n + 1) // 2; the decoder goes back through the very same sizes, so that any
    image shape and any number of channels fits.

    Args:
        channels: the channels of the encoder's layers, from image to latent.
        kernels: their kernel sizes, each 3 or 4.

    Raises:
        UserError: when the two lists do not match, a kernel is neither 3 nor 4, or (in `encoder` and `decoder`) the
            image is too small to be halved so often.
    """

    channels: Sequence[int]
    kernels: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.kernels) or not set(self.kernels) <= {3, 4}:
            raise UserError(
                f"network: channels={list(self.channels)} need as many kernels, each 3 or 4, not {list(self.kernels)}"
            )

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """The condition joins the image as planes: (C + condition_dim, H, W)."""
        channels, height, width = image_shape
        return ConvEncoder(self.shapes((channels + condition_dim, height, width)), self.kernels)

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """A linear layer to the encoder's last shape, then transposed convolutions through its shapes in reverse."""
        shapes = self.shapes(output_shape)[::-1]
        modules: list[nn.Module] = [
            nn.Linear(input_dim, prod(shapes[0])),
            nn.ReLU(),
            nn.Unflatten(1, shapes[0]),
        ]
        for before, after, kernel in zip(shapes, shapes[1:], reversed(self.kernels), strict=False):
            # the smallest output of a transposed convolution is 2n - 4 + kernel; what the encoder rounded off is added
            padding = (after[1] - (2 * before[1] - 4 + kernel), after[2] - (2 * before[2] - 4 + kernel))
            modules += [
                nn.ConvTranspose2d(before[0], after[0], kernel, stride=2, padding=1, output_padding=padding),
                nn.ReLU(),
            ]
        return nn.Sequential(*modules[:-1])

    def shapes(self, image_shape: Shape) -> list[Shape]:
        """The shape of the image and of each layer's output, from image to latent."""
        shapes = [image_shape]
        for channels, kernel in zip(self.channels, self.kernels, strict=True):
            _, height, width = shapes[-1]
            shapes.append((channels, (height + 2 - kernel) // 2 + 1, (width + 2 - kernel) // 2 + 1))
        if min(shapes[-1]) < 1:
            raise UserError(
                f"network: images of {image_shape[1]} x {image_shape[2]} are too small to be halved"
                f" {len(self.kernels)} times; use fewer channels and kernels, or model/network=mlp"
            )
        return shapes


class ConvEncoder(Encoder):
    """Convolutions through `shapes`, then flatten."""

    def __init__(self, shapes: Sequence[Shape], kernels: Sequence[int]) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        for before, after, kernel in zip(shapes, shapes[1:], kernels, strict=False):
            modules += [nn.Conv2d(before[0], after[0], kernel, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*modules, nn.Flatten())
        self.num_features = prod(shapes[-1])

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and a condition (B, K), to features (B, F). vae-cvae-mnist, section 3.2.1."""
        if condition is not None:
            planes = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (B, K, H, W)
            x = torch.cat([x, planes], dim=1)
        return self.layers(x)
