"""Residual networks, optionally with self-attention."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import gcd, prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.networks.base import Encoder, Network, SpatialNetwork
from vae_lightning.networks.conv import ConvEncoder
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class ResNet(Network):
    """Levels of residual blocks, each at half the resolution of the previous one, and a decoder that mirrors them.

    From one level to the next, a side of n pixels becomes (n + 1) // 2. The decoder passes through the same sizes in
    reverse, so any image shape works. The blocks are those of He et al. 2016, "Identity Mappings in Deep Residual
    Networks", with group norm.

    Args:
        channels: number of channels per level, from image to latents; the first level has the image's resolution.
        blocks: number of residual blocks per level.
        attention: add self-attention at the lowest resolution, in encoder and decoder.
    """

    channels: Sequence[int] = field(default_factory=lambda: [16, 32, 64, 64])
    blocks: int = 1
    attention: bool = False

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build the encoder. The condition is appended to the image as constant planes: (C + condition_dim, H, W)."""
        modules = [*self.image_to_features(image_shape, condition_dim), nn.Flatten()]
        return ConvEncoder(modules, prod(self.shapes(image_shape)[-1]))

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder: a linear layer to the encoder's last shape, then the levels in reverse order."""
        shape = self.shapes(output_shape)[-1]
        return nn.Sequential(
            nn.Linear(input_dim, prod(shape)), nn.Unflatten(1, shape), *self.features_to_image(output_shape)
        )

    def image_to_features(self, image_shape: Shape, condition_dim: int) -> list[nn.Module]:
        """Return the layers from (B, C + condition_dim, H, W) to features of the shape of the last level."""
        return [
            conv2d(image_shape[0] + condition_dim, self.channels[0]),
            *self.levels(self.shapes(image_shape), downsample),
            *self.attention_layers(),
            *norm_activation(self.channels[-1]),
        ]

    def features_to_image(self, output_shape: Shape) -> list[nn.Module]:
        """Return the layers from features of the shape of the last level to (B, *output_shape)."""
        return [
            *self.attention_layers(),
            *self.levels(self.shapes(output_shape)[::-1], upsample),
            *norm_activation(self.channels[0]),
            conv2d(self.channels[0], output_shape[0]),
        ]

    def shapes(self, image_shape: Shape) -> list[Shape]:
        """Return the shape of each level, from image to latents."""
        _, height, width = image_shape
        shapes = [(self.channels[0], height, width)]
        for channels in self.channels[1:]:
            _, height, width = shapes[-1]
            shapes.append((channels, (height + 1) // 2, (width + 1) // 2))
        return shapes

    def levels(self, shapes: Sequence[Shape], resampling: Callable[[Shape, Shape], nn.Module]) -> list[nn.Module]:
        """Return the residual blocks of each level, with a resampling module between two levels."""
        modules = residual_blocks(shapes[0][0], shapes[0][0], self.blocks)
        for before, after in pairwise(shapes):
            modules += [resampling(before, after), *residual_blocks(before[0], after[0], self.blocks)]
        return modules

    def attention_layers(self) -> list[nn.Module]:
        """Return the self-attention at the lowest resolution, if any."""
        return [SelfAttention(self.channels[-1])] if self.attention else []


@dataclass(frozen=True, kw_only=True)
class SpatialResNet(ResNet, SpatialNetwork):
    """The same residual network with a map of latents, as in latent diffusion (Rombach et al. 2022).

    Without the linear layers of `ResNet`, each position of the map describes a patch of the image. With n levels the
    sides are divided by 2^(n-1), so 28 x 28 becomes 7 x 7 with three.

    Args:
        channels: number of channels per level, from image to latents.
        blocks: number of residual blocks per level.
        attention: add self-attention at the lowest resolution, in encoder and decoder.
    """

    channels: Sequence[int] = field(default_factory=lambda: [16, 32, 32])

    def grid(self, image_shape: Shape) -> tuple[int, int]:
        """Return the resolution of the last level."""
        return self.shapes(image_shape)[-1][1:]

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build the encoder, to feature maps (B, channels[-1], h, w)."""
        return ConvEncoder(self.image_to_features(image_shape, condition_dim), self.channels[-1])

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder, from maps (B, input_dim, h, w)."""
        return nn.Sequential(conv2d(input_dim, self.channels[-1]), *self.features_to_image(output_shape))


class ResidualBlock(nn.Module):
    """x + f(x), where f is group norm, SiLU and convolution, twice. He et al. 2016, Figure 4(e), full pre-activation.

    Args:
        n_in: number of channels of x.
        n_out: number of channels of the output; if it differs from n_in, x passes through a 1 x 1 convolution.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *norm_activation(n_in), conv2d(n_in, n_out), *norm_activation(n_out), conv2d(n_out, n_out)
        )
        self.skip = nn.Identity() if n_in == n_out else conv2d(n_in, n_out, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, H, W) to (B, n_out, H, W)."""
        return self.skip(x) + self.residual(x)


class SelfAttention(nn.Module):
    """x + W softmax(q kᵀ / √C) v over the pixels of an image. Vaswani et al. 2017, Eq. 1, with one head.

    Args:
        channels: C, the number of channels of x.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (B, H·W, C)
        q, k, v = self.qkv(pixels).chunk(3, dim=-1)
        attended = self.out(F.scaled_dot_product_attention(q, k, v))
        return x + attended.transpose(1, 2).unflatten(2, x.shape[2:])


def residual_blocks(n_in: int, n_out: int, blocks: int) -> list[nn.Module]:
    """Return residual blocks, the first of which maps n_in channels to n_out."""
    return [ResidualBlock(before, after) for before, after in pairwise([n_in] + [n_out] * blocks)]


def downsample(before: Shape, after: Shape) -> nn.Module:
    """Return a convolution that maps a side of n pixels to (n + 1) // 2 and keeps the channels."""
    return conv2d(before[0], before[0], stride=2)


def upsample(before: Shape, after: Shape) -> nn.Module:
    """Return nearest-neighbor upsampling to the resolution of `after`, then a convolution that keeps the channels.

    A transposed convolution would cause checkerboard artifacts (Odena et al. 2016).
    """
    return nn.Sequential(nn.Upsample(size=after[1:], mode="nearest"), conv2d(before[0], before[0]))


def conv2d(n_in: int, n_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution with a kernel of odd size that maps a side of n pixels to ceil(n / stride).

    Weights, and therefore features, are stored with channels last, which is 1.1 to 1.2 times as fast on a CPU with the
    number of channels that residual networks have.
    """
    return nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2).to(memory_format=torch.channels_last)


def norm_activation(channels: int) -> list[nn.Module]:
    """Return the layers before a convolution: group norm and SiLU."""
    return [group_norm(channels), nn.SiLU()]


def group_norm(channels: int) -> nn.GroupNorm:
    """Return a group norm with 16 channels per group, or more if 16 does not divide them. Wu & He 2018, Table 3.

    With the 32 groups of the paper, 32 channels would have one channel per group, which at 1 x 1 is normalized to 0.
    """
    return nn.GroupNorm(gcd(channels, max(1, channels // 16)), channels)
