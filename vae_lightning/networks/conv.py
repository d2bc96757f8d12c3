"""Convolutional networks that halve the image in each layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.errors import UserError
from vae_lightning.networks.base import Encoder, Network, append_planes
from vae_lightning.networks.mlp import activation_layer, linear_layers, num_inputs
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class Conv(Network):
    """Convolutions with stride 2 and padding 1, and a decoder that mirrors them. vae-cvae-mnist, Tables 1 and 2.

    The defaults are those of the paper: 28 -> 14 -> 7 -> 4, 2048 features. A kernel of size 4 maps a side of n pixels
    to n // 2, one of size 3 to (n + 1) // 2. The decoder passes through the same sizes in reverse, so any image shape
    works that is large enough.

    Args:
        channels: output channels of the encoder's convolutions, from image to latents.
        kernels: their kernel sizes, each 3 or 4.
        hidden_dims: widths of the fully connected layers between the last convolution and the latents; the decoder
            reverses them.
        activation: name of a `torch.nn` module; see `MLP` for `GLU`.
        batch_norm: apply batch norm between the convolutions, before the activation. The last convolution of encoder
            and decoder has none, so that training on a batch of one image works even if only one pixel is left.

    Raises:
        UserError: if the two lists do not match, a kernel size is neither 3 nor 4, or (in `encoder` and `decoder`) the
            image is too small to be halved that often.
    """

    channels: Sequence[int] = field(default_factory=lambda: [32, 64, 128])
    kernels: Sequence[int] = field(default_factory=lambda: [4, 4, 3])
    hidden_dims: Sequence[int] = field(default_factory=list)
    activation: str = "ReLU"
    batch_norm: bool = False

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.kernels) or not set(self.kernels) <= {3, 4}:
            raise UserError(
                f"model.network.kernels={list(self.kernels)}: must be {len(self.channels)} kernel sizes, each 3 or 4."
                f" Set one per entry of channels={list(self.channels)}."
            )

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build the encoder. The condition is appended to the image as constant planes: (C + condition_dim, H, W)."""
        channels, height, width = image_shape
        shapes = self.shapes((channels + condition_dim, height, width))
        modules: list[nn.Module] = []
        for (before, after), kernel, norm in zip(pairwise(shapes), self.kernels, self.norms, strict=True):
            n_out = num_inputs(self.activation) * after[0]
            modules.append(nn.Conv2d(before[0], n_out, kernel, stride=2, padding=1, bias=not norm))
            modules += self.norm_and_activation(n_out, norm)
        dims = [prod(shapes[-1]), *self.hidden_dims]
        return ConvEncoder([*modules, nn.Flatten(), *linear_layers(dims, self.activation)], dims[-1])

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder: linear layers to the encoder's last shape, then transposed convolutions."""
        shapes = self.shapes(output_shape)[::-1]
        dims = [input_dim, *reversed(self.hidden_dims), prod(shapes[0])]
        modules = [*linear_layers(dims, self.activation), nn.Unflatten(1, shapes[0])]
        factors = [num_inputs(self.activation)] * (len(self.kernels) - 1) + [1]  # no activation follows the last one
        layers = zip(pairwise(shapes), factors, reversed(self.kernels), self.norms, strict=True)
        for (before, after), factor, kernel, norm in layers:
            n_out = factor * after[0]
            # A transposed convolution outputs at least 2n - 4 + kernel; padding adds the pixels that were rounded off.
            padding = (after[1] - (2 * before[1] - 4 + kernel), after[2] - (2 * before[2] - 4 + kernel))
            modules.append(
                nn.ConvTranspose2d(before[0], n_out, kernel, stride=2, padding=1, output_padding=padding, bias=not norm)
            )
            modules += self.norm_and_activation(n_out, norm)
        return nn.Sequential(*modules[:-1])

    @property
    def norms(self) -> list[bool]:
        """Whether batch norm follows each convolution of encoder and decoder, in which case that one has no bias."""
        return [self.batch_norm] * (len(self.kernels) - 1) + [False]

    def norm_and_activation(self, channels: int, norm: bool) -> list[nn.Module]:
        """Return the layers after a convolution: batch norm, if any, and the activation."""
        activation = activation_layer(self.activation)
        return [BatchNorm(channels), activation] if norm else [activation]

    def shapes(self, image_shape: Shape) -> list[Shape]:
        """Return the shape of the image and of the output of each convolution, from image to latents.

        Raises:
            UserError: if the image is too small.
        """
        shapes = [image_shape]
        for channels, kernel in zip(self.channels, self.kernels, strict=True):
            _, height, width = shapes[-1]
            shapes.append((channels, (height + 2 - kernel) // 2 + 1, (width + 2 - kernel) // 2 + 1))
        if min(shapes[-1]) < 1:
            raise UserError(
                f"model.network: images of {image_shape[1]} x {image_shape[2]} are too small to be halved"
                f" {len(self.kernels)} times. Use fewer channels and kernels, or set model/network=mlp."
            )
        return shapes


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that normalizes a single value per channel, which has no variance, by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class ConvEncoder(Encoder):
    """Encoder whose layers receive the image, with the condition appended as constant planes.

    Args:
        layers: modules applied in sequence, from (B, C + K, H, W) to (B, num_features).
        num_features: F.
    """

    def __init__(self, layers: Sequence[nn.Module], num_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.num_features = num_features

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and a condition (B, K), to features (B, F). vae-cvae-mnist, section 3.2.1."""
        if condition is not None:
            x = append_planes(x, condition)
        return self.layers(x)
