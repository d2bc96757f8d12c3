"""Convolutional networks that halve the image at each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from vae_lightning.errors import UserError
from vae_lightning.networks.base import Encoder, Network
from vae_lightning.networks.mlp import linear_layers
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class Conv(Network):
    """Convolutions of stride 2 and padding 1, and their reverse. vae-cvae-mnist, Tables 1 and 2.

    The paper's is channels [32, 64, 128] and kernels [4, 4, 3]: 28 -> 14 -> 7 -> 4, 2048 features. A kernel of 4 takes
    a side of n to n // 2, one of 3 to (n + 1) // 2; the decoder goes back through the very same sizes, so that any
    image shape and any number of channels fits.

    Args:
        channels: the channels of the encoder's layers, from image to latent.
        kernels: their kernel sizes, each 3 or 4.
        hidden_dims: the widths of fully connected layers between the last convolution and the latent, from image to
            latent; the decoder reverses them.
        activation: the name of a `torch.nn` module.
        batch_norm: normalise between the convolutions, before the activation: not after the encoder's last, nor after
            the decoder's. A batch of one image then trains also where the last leaves one pixel.

    Raises:
        UserError: when the two lists do not match, a kernel is neither 3 nor 4, or (in `encoder` and `decoder`) the
            image is too small to be halved so often.
    """

    channels: Sequence[int]
    kernels: Sequence[int]
    hidden_dims: Sequence[int]
    activation: str
    batch_norm: bool

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.kernels) or not set(self.kernels) <= {3, 4}:
            raise UserError(
                f"network: channels={list(self.channels)} need as many kernels, each 3 or 4, not {list(self.kernels)}"
            )

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """The condition joins the image as planes: (C + condition_dim, H, W)."""
        channels, height, width = image_shape
        shapes = self.shapes((channels + condition_dim, height, width))
        modules: list[nn.Module] = []
        for (before, after), kernel, norm in zip(pairwise(shapes), self.kernels, self.norms, strict=True):
            modules.append(nn.Conv2d(before[0], after[0], kernel, stride=2, padding=1, bias=not norm))
            modules += self.after_convolution(after[0], norm)
        dims = [prod(shapes[-1]), *self.hidden_dims]
        return ConvEncoder([*modules, nn.Flatten(), *linear_layers(dims, self.activation)], dims[-1])

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Linear layers to the encoder's last shape, then transposed convolutions through its shapes in reverse."""
        shapes = self.shapes(output_shape)[::-1]
        dims = [input_dim, *reversed(self.hidden_dims), prod(shapes[0])]
        modules = [*linear_layers(dims, self.activation), nn.Unflatten(1, shapes[0])]
        for (before, after), kernel, norm in zip(pairwise(shapes), reversed(self.kernels), self.norms, strict=True):
            # the smallest output of a transposed convolution is 2n - 4 + kernel; what the encoder rounded off is added
            padding = (after[1] - (2 * before[1] - 4 + kernel), after[2] - (2 * before[2] - 4 + kernel))
            modules.append(
                nn.ConvTranspose2d(
                    before[0], after[0], kernel, stride=2, padding=1, output_padding=padding, bias=not norm
                )
            )
            modules += self.after_convolution(after[0], norm)
        return nn.Sequential(*modules[:-1])

    @property
    def norms(self) -> list[bool]:
        """Whether batch norm follows each convolution, on either side. One that it follows needs no bias."""
        return [self.batch_norm] * (len(self.kernels) - 1) + [False]

    def after_convolution(self, channels: int, norm: bool) -> list[nn.Module]:
        """Batch norm where there is one, and the activation."""
        activation = getattr(nn, self.activation)()
        return [nn.BatchNorm2d(channels), activation] if norm else [activation]

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
    """Layers that start with a convolution of the image, and of the condition as planes beside it.

    Args:
        layers: modules, one after the other, from (B, C + K, H, W) to (B, num_features).
        num_features: F.
    """

    def __init__(self, layers: Sequence[nn.Module], num_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.num_features = num_features

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and a condition (B, K), to features (B, F). vae-cvae-mnist, section 3.2.1."""
        if condition is not None:
            planes = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (B, K, H, W)
            x = torch.cat([x, planes], dim=1)
        return self.layers(x)
