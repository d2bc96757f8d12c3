"""A PixelCNN: convolutions over the pixels before each pixel."""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GatedLayer(nn.Module):
    """Two convolutions that see the rows above a pixel, and the pixels on its left. van den Oord et al. 2016, Figure 2.

    Where the paper masks kernels, these have only the weights that remain. The caller pads v with rows above, and h
    with columns on the left, `radius` of them.

    Args:
        width: F, channels of each of the two.
        context_channels: channels of the context that shifts the activations of both.
        kernel_size: of the square of which the masked kernels are parts, odd.
    """

    def __init__(self, width: int, context_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.radius = kernel_size // 2
        self.above = nn.Conv2d(width, 2 * width, (self.radius + 1, kernel_size), padding=(0, self.radius))
        self.left = nn.Conv2d(width, 2 * width, (1, self.radius + 1))
        self.above_to_left = nn.Conv2d(2 * width, 2 * width, 1)
        self.context = nn.Conv2d(context_channels, 4 * width, 1, bias=False)
        self.output = nn.Conv2d(width, width, 1)

    def see_above(self, v: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the vertical convolution.

        Args:
            v: features of the rows above each pixel, (B, F, radius + H, W).
            context: (B, context_channels, H, W).

        Returns:
            the next v, (B, F, H, W), and what the horizontal convolution adds, (B, 2F, H, W).
        """
        shift_v, shift_h = self.context(context).chunk(2, dim=1)
        activation = self.above(v)
        return gate(activation + shift_v), self.above_to_left(activation) + shift_h

    def see_left(self, h: Tensor, above: Tensor) -> Tensor:
        """Apply the horizontal convolution to features of the pixels before each, (B, F, H, radius + W)."""
        return h[..., self.radius :] + self.output(gate(self.left(h) + above))


class PixelCNN(nn.Module):
    """Gated PixelCNN, which maps images to values for each pixel that depend on the pixels before it, row by row.

    van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders". A pixel sees the pixels before it
    that are at most `layers * (kernel_size // 2) + 1` rows and columns away.

    Args:
        embed: maps pixels (B, C, H, W) or codes (B, H, W), each by itself, to (B, F, H, W).
        context_channels: channels of the context.
        output_channels: channels of the result.
        width: F, channels of the hidden layers.
        layers: number of layers.
        kernel_size: odd.
    """

    def __init__(
        self,
        embed: nn.Module,
        context_channels: int,
        output_channels: int,
        *,
        width: int,
        layers: int,
        kernel_size: int,
    ) -> None:
        super().__init__()
        self.width, self.radius = width, kernel_size // 2
        self.embed = embed
        stack = nn.ModuleList(GatedLayer(width, context_channels, kernel_size) for _ in range(layers))
        self.layers = cast("list[GatedLayer]", stack)
        self.output = nn.Sequential(nn.ReLU(), nn.Conv2d(width, output_channels, 1))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map pixels or codes and the context (B, context_channels, H, W) to (B, output_channels, H, W)."""
        seen = self.embed(x)
        v, h = F.pad(seen, (0, 0, 1, -1)), F.pad(seen, (1, -1, 0, 0))  # shifted down, and to the right
        for layer in self.layers:
            v, above = layer.see_above(F.pad(v, (0, 0, self.radius, 0)), context)
            h = layer.see_left(F.pad(h, (self.radius, 0, 0, 0)), above)
        return self.output(h)

    def fill(self, context: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Fill images pixel by pixel, each layer at one pixel at a time. Ramachandran et al. 2017.

        Args:
            context: (B, context_channels, H, W).
            choose: maps the values of a pixel, (B, output_channels, 1, 1), to the pixel or code, (B, ..., 1, 1).

        Returns:
            the images or codes, (B, ..., H, W).
        """
        batch, _, height, width = context.shape
        blank = context.new_zeros(batch, self.width, 1, width)
        images, v = [], blank
        rows = [blank.expand(-1, -1, self.radius + 1, -1)] * len(self.layers)  # the last ones that each layer saw
        for i in range(height):
            above = []
            for n, layer in enumerate(self.layers):
                rows[n] = torch.cat([rows[n][:, :, 1:], v], dim=2)
                v, maps = layer.see_above(rows[n], context[:, :, i : i + 1])
                above.append(maps)
            pixels, h = [], blank[..., :1]
            columns = [h.expand(-1, -1, -1, self.radius + 1)] * len(self.layers)
            for j in range(width):
                for n, layer in enumerate(self.layers):
                    columns[n] = torch.cat([columns[n][..., 1:], h], dim=3)
                    h = layer.see_left(columns[n], above[n][..., j : j + 1])
                pixels.append(choose(self.output(h)))
                h = self.embed(pixels[-1])
            images.append(torch.cat(pixels, dim=-1))
            v = self.embed(images[-1])
        return torch.cat(images, dim=-2)


def gate(x: Tensor) -> Tensor:
    """Return tanh(a) σ(b) for the halves a and b of the channels, (B, 2F, H, W) -> (B, F, H, W)."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)
