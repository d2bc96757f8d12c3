"""A ladder: a bottom-up and a top-down network over the same resolutions, with groups of latents in the second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from vae_lightning.errors import UserError
from vae_lightning.networks.base import Encoder, Network, append_planes
from vae_lightning.networks.resnet import conv2d
from vae_lightning.types import LatentShape, Shape

# Maps the state (B, channels, h, w) before a group, and mean and log σ² of its prior (B, 2C, h, w), to its latents
# (B, C·h·w).
Draw = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Ladder(Network):
    """Bottleneck blocks at several resolutions, from the image down and up again. Child 2021, Figure 3.

    From one level to the next, a side of n pixels becomes (n + 1) // 2, so any image shape works. A group of latents is
    a map with `model.latent_dim` channels at the resolution of its level. There is no normalization. Instead, layers
    keep the initial variance (He et al. 2015), except that the last layer of each residual branch divides it by N, the
    number of residual blocks in a row.

    Args:
        channels: number of channels per level, from the image's resolution to the lowest.
        groups: number of groups of latents per level.
        blocks: number of residual blocks per level of the bottom-up network, and per level without groups of the
            top-down network.
        bottleneck: the inner layers of a block have this many times fewer channels.

    Raises:
        UserError: if the two lists do not match, or the lowest level has no groups.
    """

    multi_resolution = True

    channels: Sequence[int] = field(default_factory=lambda: [16, 32, 64, 64])
    groups: Sequence[int] = field(default_factory=lambda: [0, 2, 2, 2])
    blocks: int = 1
    bottleneck: int = 2

    def __post_init__(self) -> None:
        if len(self.groups) != len(self.channels):
            raise UserError(
                f"model.network.groups={list(self.groups)}: must be {len(self.channels)} numbers. Set one per entry of"
                f" channels={list(self.channels)}."
            )
        if not self.groups[-1]:
            raise UserError(
                f"model.network.groups={list(self.groups)}: the last level, the top of the hierarchy, has no latents."
                " Set its number to 1, or leave the level out."
            )

    def levels(self, image_shape: Shape) -> list[Shape]:
        """Return the shape of each level, from the image's resolution to the lowest."""
        _, height, width = image_shape
        shapes = []
        for channels in self.channels:
            shapes.append((channels, height, width))
            height, width = (height + 1) // 2, (width + 1) // 2
        return shapes

    @property
    def group_levels(self) -> list[int]:
        """The level of each group, the top group first."""
        return [level for level in reversed(range(len(self.groups))) for _ in range(self.groups[level])]

    def group_shapes(self, image_shape: Shape, latent_dim: int) -> list[Shape]:
        """Return the shape (C, h, w) of each group, the top group first."""
        levels = self.levels(image_shape)
        return [(latent_dim, *levels[level][1:]) for level in self.group_levels]

    def latent_shape(self, image_shape: Shape, latent_dim: int) -> int:
        """Return the number of latents of all groups, which form one vector."""
        return sum(map(prod, self.group_shapes(image_shape, latent_dim)))

    def encoder(self, image_shape: Shape, condition_dim: int) -> "BottomUp":
        """Build the bottom-up network. The condition is appended to the image as constant planes."""
        return BottomUp(image_shape[0] + condition_dim, self.levels(image_shape), self.blocks, self.bottleneck)

    def posterior_heads(self, image_shape: Shape, latent_dim: int) -> nn.ModuleList:
        """Build the networks from the states before each group, with features of the same level, to q(z_l|z_<l, x).

        Their outputs are initially small, so q(z_l|z_<l, x) starts close to N(0, I).
        """
        heads = nn.ModuleList()
        for level in self.group_levels:
            shape = self.levels(image_shape)[level]
            head = Bottleneck(shape, 2 * shape[0], 2 * latent_dim, self.bottleneck)
            rescale(head[-1], 0.1)
            heads.append(head)
        return heads

    def build_decoder(self, latent_shape: LatentShape, condition_dim: int, output_shape: Shape) -> "TopDown":
        """Build the top-down network, from latents and a condition (B, D + K) to (B, *output_shape)."""
        assert isinstance(latent_shape, int)
        latent_dim = latent_shape // self.latent_shape(output_shape, 1)
        blocks: list[nn.Module] = []
        above: Shape | None = None
        for shape, groups in zip(self.levels(output_shape)[::-1], self.groups[::-1], strict=True):
            if above:
                blocks.append(nn.Sequential(match(above[0], shape[0]), nn.Upsample(size=shape[1:])))
            blocks += [Group(shape, latent_dim, self.bottleneck) for _ in range(groups)]
            if not groups:
                blocks += [ResidualBottleneck(shape, self.bottleneck) for _ in range(self.blocks)]
            above = shape
        blocks.append(conv2d(self.channels[0], output_shape[0], kernel=1))
        return TopDown(self.levels(output_shape)[-1], condition_dim, blocks)

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Raise an error: the decoder of a hierarchy receives its input at several levels."""
        raise TypeError("Ladder has no decoder of a single input. Call build_decoder.")


class BottomUp(Encoder):
    """Maps images (B, C, H, W), and optionally a condition (B, K), to features of each level.

    Args:
        channels: C + K.
        levels: shape of each level, from the image's resolution to the lowest.
        blocks: number of residual blocks per level.
        bottleneck: see `Ladder`.
    """

    def __init__(self, channels: int, levels: Sequence[Shape], blocks: int, bottleneck: int) -> None:
        super().__init__()
        self.num_features = levels[-1][0]
        before = levels[0][0]
        resize: nn.Module = conv2d(channels, before)
        self.levels = nn.ModuleList()
        for shape in levels:
            if len(self.levels):
                resize = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), match(before, shape[0]))
            self.levels.append(nn.Sequential(resize, *(ResidualBottleneck(shape, bottleneck) for _ in range(blocks))))
            before = shape[0]
        rescale_branches(self.levels)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Any:
        """Return one map (B, *shape) per level."""
        h = x if condition is None else append_planes(x, condition)
        return [h := level(h) for level in self.levels]


class TopDown(nn.Module):
    """Maps latents to images through the levels, from a learned map at the lowest one. Contains p(z) and p(x|z).

    Args:
        shape: that of the lowest level.
        condition_dim: K.
        blocks: from the top down, including the last layer.
    """

    def __init__(self, shape: Shape, condition_dim: int, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, *shape))
        self.condition = nn.Linear(condition_dim, shape[0], bias=False) if condition_dim else None
        self.blocks = nn.ModuleList(blocks)
        self.sizes = [prod(block.shape) for block in blocks if isinstance(block, Group)]
        rescale_branches(self.blocks)

    def forward(self, z: Tensor) -> Tensor:
        """Map latents and a condition (B, D + K) to (B, channels, H, W)."""
        *latents, condition = z.split([*self.sizes, z.shape[1] - sum(self.sizes)], dim=1)
        given = iter(latents)
        return self.run(z.shape[0], condition, lambda h, prior: next(given))

    def run(self, n: int, condition: Tensor | None, draw: Draw) -> Tensor:
        """Run from the top down, and draw the latents of each group on the way.

        Args:
            n: B.
            condition: (B, K), or None.
            draw: returns the latents (B, C·h·w) of a group, given the state before it and the output of p(z_l|z_<l).

        Returns:
            The parameters of the likelihood, (B, channels, H, W).
        """
        h = self.start.expand(n, -1, -1, -1)
        if self.condition is not None:
            h = h + self.condition(condition)[:, :, None, None]
        for block in self.blocks:
            h = block(h, draw) if isinstance(block, Group) else block(h)
        return h


class Bottleneck(nn.Sequential):
    """SiLU and convolution, four times, with few channels in between. Child 2021, Figure 3.

    The two inner convolutions are 3 x 3, or 1 x 1 where a side of the map has at most two pixels.

    Args:
        shape: (channels, h, w) of the level.
        n_in: number of channels of the input.
        n_out: number of channels of the output.
        bottleneck: see `Ladder`.
    """

    def __init__(self, shape: Shape, n_in: int, n_out: int, bottleneck: int) -> None:
        inner = max(1, shape[0] // bottleneck)
        kernel = 3 if min(shape[1:]) > 2 else 1
        layers: list[nn.Module] = []
        for before, after, k in ((n_in, inner, 1), (inner, inner, kernel), (inner, inner, kernel), (inner, n_out, 1)):
            conv = conv2d(before, after, k)
            # With torch's default the variance falls to a sixth in each layer, so training starts without the image.
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            layers += [nn.SiLU(), conv]
        super().__init__(*layers)


class ResidualBottleneck(nn.Module):
    """h + f(h), where f is a `Bottleneck`.

    Args:
        shape: of h.
        bottleneck: see `Ladder`.
    """

    def __init__(self, shape: Shape, bottleneck: int) -> None:
        super().__init__()
        self.residual = Bottleneck(shape, shape[0], shape[0], bottleneck)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, channels, h, w) to the same shape."""
        return h + self.residual(h)


class Group(nn.Module):
    """One group of latents: its prior, and how its latents change the state. Child 2021, Figure 3, top-down block.

    Args:
        shape: of the state, (channels, h, w).
        latent_dim: C, number of latents per position.
        bottleneck: see `Ladder`.
    """

    def __init__(self, shape: Shape, latent_dim: int, bottleneck: int) -> None:
        super().__init__()
        channels, *grid = shape
        self.shape = (latent_dim, *grid)
        self.prior = Bottleneck(shape, channels, 2 * latent_dim + channels, bottleneck)
        rescale(self.prior[-1], 0.1, 2 * latent_dim)  # p(z_l|z_<l) starts close to N(0, I), as q does
        self.merge = conv2d(latent_dim, channels, kernel=1)
        nn.init.kaiming_normal_(self.merge.weight, nonlinearity="linear")
        self.block = ResidualBottleneck(shape, bottleneck)

    def forward(self, h: Tensor, draw: Draw) -> Tensor:
        """Map the state before the group to the state after it, both (B, channels, h, w)."""
        prior, features = self.prior(h).tensor_split([2 * self.shape[0]], dim=1)
        z = draw(h, prior)
        return self.block(h + features + self.merge(z.unflatten(1, self.shape)))


def match(n_in: int, n_out: int) -> nn.Module:
    """Return a layer that maps n_in channels to n_out."""
    return nn.Identity() if n_in == n_out else conv2d(n_in, n_out, kernel=1)


@torch.no_grad()
def rescale(layer: nn.Module, factor: float, outputs: int | None = None) -> None:
    """Multiply the weights of a layer, or only those of its first outputs, by a factor."""
    assert isinstance(layer, nn.Conv2d)
    layer.weight[:outputs] *= factor


def rescale_branches(blocks: nn.ModuleList) -> None:
    """Divide the weights of the last layer of each branch by √N, with N the number of residual blocks in a row.

    So the initial variance does not grow with the depth.
    """
    residual = [module for module in blocks.modules() if isinstance(module, ResidualBottleneck)]
    groups = [module for module in blocks.modules() if isinstance(module, Group)]
    branches = [block.residual[-1] for block in residual]
    branches += [layer for group in groups for layer in (group.prior[-1], group.merge)]
    for layer in branches:
        rescale(layer, len(residual) ** -0.5)
