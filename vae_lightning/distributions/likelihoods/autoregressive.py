"""Autoregressive likelihood: the distribution of a pixel depends on z and on the pixels before it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributions.likelihoods.base import Likelihood
from vae_lightning.distributions.likelihoods.discretized_logistic_mixture import DiscretizedLogisticMixture
from vae_lightning.distributions.likelihoods.ms_ssim import MSSSIM
from vae_lightning.errors import UserError
from vae_lightning.networks.pixel_cnn import PixelCNN
from vae_lightning.networks.row_blocks import ROWS


class AutoregressiveImages(NamedTuple):
    """Images with p(x|z) = Π p(x_i | x_1, ..., x_(i-1), z) over their pixels, row by row from the top left.

    Attributes:
        context: output of the decoder, (B, context_channels, H, W).
        network: maps images and the context to the parameters of each pixel.
        pixels: maps the parameters to the distributions of pixels.
    """

    context: Tensor
    network: PixelCNN
    pixels: Likelihood

    @property
    def mean(self) -> Tensor:
        """An image (B, C, H, W) that shows z: each pixel is its mean given z and the means of the pixels before it.

        The mean of p(x|z) itself is a sum over all images.
        """
        return self.fill(lambda px: px.mean)

    def sample(self) -> Tensor:
        """Draw images from p(x|z), (B, C, H, W)."""
        return self.fill(lambda px: px.sample())

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute log p(x|z) of images (B, C, H, W) in [0, 1], (B,), in nats."""
        # In blocks, since the network's activations of thousands of images would not fit into memory.
        blocks = zip(x.split(ROWS), self.context.split(ROWS), strict=True)
        return torch.cat([self.pixels(self.network(*block)).log_prob(block[0]) for block in blocks])

    @torch.no_grad()
    def fill(self, choose: Callable[[Any], Tensor]) -> Tensor:
        """Fill images pixel by pixel with what `choose` returns for the distribution of a pixel, (B, C, 1, 1)."""
        return self.network.fill(self.context, lambda parameters: choose(self.pixels(parameters)))


class Autoregressive(Likelihood):
    """A PixelCNN whose context is the decoder's output. Gulrajani et al. 2017 (PixelVAE), Chen et al. 2017.

    The network models the dependence of a pixel on its neighborhood, and the latents the rest. Keep the neighborhood of
    `layers * (kernel_size // 2) + 1` pixels small: a network that sees the whole image needs no latents, and the
    rate falls to 0 (Chen et al. 2017, section 3).

    Drawing an image takes a pass for each of its pixels. Decoded images have no gradient.

    Args:
        image_shape: (C, H, W).
        pixels: the distribution of a pixel given its parameters; None for a `DiscretizedLogisticMixture`.
        context_channels: number of channels that the decoder outputs.
        width: number of channels of the PixelCNN.
        layers: number of its layers.
        kernel_size: of its convolutions, odd.

    Raises:
        UserError: if `pixels` is not a distribution of single pixels, or its scale is fitted to each batch.
    """

    is_autoregressive = True

    def __init__(
        self,
        *,
        image_shape: Sequence[int],
        pixels: Likelihood | None = None,
        context_channels: int = 16,
        width: int = 32,
        layers: int = 2,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        self.pixels = DiscretizedLogisticMixture() if pixels is None else pixels
        if isinstance(self.pixels, MSSSIM | Autoregressive) or self.pixels.fits_batch:
            raise UserError(
                f"model.likelihood.pixels: {type(self.pixels).__name__} cannot be the distribution of a single pixel."
                " Set model/likelihood@model.likelihood.pixels=discretized_logistic_mixture."
            )
        self.eight_bit = self.pixels.eight_bit
        self.context_channels, channels = context_channels, image_shape[0]
        self.network = PixelCNN(
            nn.Conv2d(channels, width, 1),
            context_channels,
            self.pixels.output_channels(channels),
            width=width,
            layers=layers,
            kernel_size=kernel_size,
        )

    def output_channels(self, channels: int) -> int:
        """Return the number of channels of the context."""
        return self.context_channels

    def forward(self, output: Tensor) -> AutoregressiveImages:
        """Map the decoder's output (B, context_channels, H, W) to p(x|z)."""
        return AutoregressiveImages(output, self.network, self.pixels)
