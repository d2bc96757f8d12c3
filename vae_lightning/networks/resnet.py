"""Residual networks, with self-attention where it is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd, prod

import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.networks.base import Encoder, Network
from vae_lightning.networks.conv import ConvEncoder
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class ResNet(Network):
    """Levels of residual blocks, each at half the resolution of the one before, and their reverse.

    Going down, a side of n becomes (n + 1) // 2; the decoder goes back through the very same sizes, so that any image
    shape fits. The blocks are those of He et al. 2016, "Identity Mappings in Deep Residual Networks", with group norm.

    Args:
        channels: the channels of each level, from image to latent; the first has the image's resolution.
        blocks: the residual blocks of each level.
        attention: put a block of self-attention at the lowest resolution, on both sides.
    """

    channels: Sequence[int]
    blocks: int
    attention: bool

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """The condition joins the image as planes: (C + condition_dim, H, W)."""
        shapes = self.shapes(image_shape)
        modules = [
            convolution(image_shape[0] + condition_dim, self.channels[0]),
            *self.levels(shapes, downsampling),
            *self.attentions(),
            *activated(self.channels[-1]),
            nn.Flatten(),
        ]
        return ConvEncoder(modules, prod(shapes[-1]))

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """A linear layer to the encoder's last shape, then the levels in reverse."""
        shapes = self.shapes(output_shape)[::-1]
        return nn.Sequential(
            nn.Linear(input_dim, prod(shapes[0])),
            nn.Unflatten(1, shapes[0]),
            *self.attentions(),
            *self.levels(shapes, upsampling),
            *activated(self.channels[0]),
            convolution(self.channels[0], output_shape[0]),
        )

    def shapes(self, image_shape: Shape) -> list[Shape]:
        """The shape of each level, from image to latent."""
        _, height, width = image_shape
        shapes = [(self.channels[0], height, width)]
        for channels in self.channels[1:]:
            _, height, width = shapes[-1]
            shapes.append((channels, (height + 1) // 2, (width + 1) // 2))
        return shapes

    def levels(self, shapes: Sequence[Shape], resampling: Callable[[Shape, Shape], nn.Module]) -> list[nn.Module]:
        """The residual blocks of each level, and what leads from one level to the next."""
        modules = residual_blocks(shapes[0][0], shapes[0][0], self.blocks)
        for before, after in pairwise(shapes):
            modules += [resampling(before, after), *residual_blocks(before[0], after[0], self.blocks)]
        return modules

    def attentions(self) -> list[nn.Module]:
        """Self-attention at the lowest resolution, where it is asked for."""
        return [SelfAttention(self.channels[-1])] if self.attention else []


class ResidualBlock(nn.Module):
    """x + f(x), f twice group norm, SiLU and convolution. He et al. 2016, Figure 4(e), "full pre-activation".

    Args:
        n_in: the channels of x.
        n_out: the channels of the sum; where they are others, a 1 x 1 convolution takes x there.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *activated(n_in), convolution(n_in, n_out), *activated(n_out), convolution(n_out, n_out)
        )
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, H, W) to (B, n_out, H, W)."""
        return self.skip(x) + self.residual(x)


class SelfAttention(nn.Module):
    """x + W softmax(q kᵀ / √C) v, among the pixels of an image. Vaswani et al. 2017, Eq. 1, with one head.

    Args:
        channels: C, those of x.
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
    """Residual blocks, the first of which takes n_in channels to n_out."""
    return [ResidualBlock(before, after) for before, after in pairwise([n_in] + [n_out] * blocks)]


def downsampling(before: Shape, after: Shape) -> nn.Module:
    """A convolution that halves the resolution, n to (n + 1) // 2, and leaves the channels as they are."""
    return nn.Conv2d(before[0], before[0], 3, stride=2, padding=1)


def upsampling(before: Shape, after: Shape) -> nn.Module:
    """The nearest neighbour at the resolution of `after`, then a convolution; the channels stay as they are.

    A transposed convolution would leave a checkerboard (Odena et al. 2016).
    """
    return nn.Sequential(nn.Upsample(size=after[1:], mode="nearest"), convolution(before[0], before[0]))


def convolution(n_in: int, n_out: int) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the resolution."""
    return nn.Conv2d(n_in, n_out, 3, padding=1)


def activated(channels: int) -> list[nn.Module]:
    """What comes before a convolution: group norm and SiLU."""
    return [group_norm(channels), nn.SiLU()]


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm with groups of 16 channels, larger where 16 do not divide them. Wu & He 2018, Table 3.

    The paper's 32 groups would leave a level of 32 channels one channel a group, which at 1 x 1 is normalised to 0.
    """
    return nn.GroupNorm(gcd(channels, max(1, channels // 16)), channels)
