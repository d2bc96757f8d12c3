"""Structural similarity in place of a likelihood."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from vae_lightning.distributions.likelihoods.base import Likelihood
from vae_lightning.errors import UserError

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from fine to coarse. Wang et al. 2003, section 3.2
SIGMA_PER_RADIUS = 0.3  # of the Gaussian window; gives the usual σ = 1.5 for a window of 11 pixels


class MSSSIMImages(NamedTuple):
    """Images whose log "probability" is −w · C·H·W · (1 − MS-SSIM(x, mean)), which is not normalized.

    Attributes:
        mean: mean image, (B, C, H, W).
        weight: w.
        window_size: sides of the windows, in pixels.
    """

    mean: Tensor
    weight: float
    window_size: int

    def log_prob(self, x: Tensor) -> Tensor:
        """Compute the weighted dissimilarity to images (B, C, H, W), negative, (B,)."""
        num_scales = count_scales(x.shape[2:], self.window_size)
        weights = SCALE_WEIGHTS[:num_scales]
        with torch.autocast(x.device.type, enabled=False):  # variances are differences of large numbers
            similarity = multiscale_structural_similarity_index_measure(
                self.mean,
                x,
                kernel_size=self.window_size,
                sigma=window_sigma(self.window_size),
                data_range=1.0,
                betas=tuple(weight / sum(weights) for weight in weights),
                normalize="simple",  # maps [-1, 1] to [0, 1], where a power has a gradient
                reduction="none",
            )
        return -self.weight * math.prod(x.shape[1:]) * (1 - similarity)


def window_sigma(window_size: int) -> float:
    """Return the σ in pixels for which the window of torchmetrics has this size, whose radius is int(3.5 σ + 0.5)."""
    radius = window_size // 2
    return SIGMA_PER_RADIUS * radius if radius < 10 else radius / 3.5


class MSSSIM(Likelihood):
    """Multi-scale structural similarity (Wang et al. 2003) as the distortion. Snell et al. 2017.

    Each factor of MS-SSIM is mapped from [−1, 1] to [0, 1], so that its power has a gradient. There are up to 5 scales,
    as many as the window fits in, with the weights of the paper, whose sum is 1.

    This is no distribution, so `nelbo` is no bound on −log p(x) here. It compares models with this likelihood only.

    Args:
        ssim_weight: w > 0, for each value of an image.
        window_size: side of the windows in pixels, odd.
        image_shape: (C, H, W), to check the size of the images before the training.

    Raises:
        UserError: if the images are smaller than the window.
    """

    def __init__(
        self, *, ssim_weight: float = 1.0, window_size: int = 11, image_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.ssim_weight, self.window_size = ssim_weight, window_size
        if image_shape is not None:
            count_scales(image_shape[1:], window_size)

    def forward(self, output: Tensor) -> MSSSIMImages:
        """Map the decoder's output (B, C, H, W) to the mean and the weight."""
        return MSSSIMImages(torch.sigmoid(output), self.ssim_weight, self.window_size)


def count_scales(image_size: Sequence[int], window_size: int) -> int:
    """Return the number of scales, from 1 to 5, at which the window fits in images of H x W pixels.

    Raises:
        UserError: if there is none.
    """
    windows = min(image_size) // window_size
    # The halved image must contain a window. torchmetrics requires (scales - 1)² of them, which is more for 4 scales.
    fitting = [n for n in range(1, len(SCALE_WEIGHTS) + 1) if windows >= max(2 ** (n - 1), (n - 1) ** 2)]
    if not fitting:
        size = " x ".join(map(str, image_size))
        largest = (min(image_size) - 1) // 2 * 2 + 1
        fix = f"Set {largest} or less" if largest >= 3 else "Set model/likelihood=bernoulli"
        raise UserError(f"model.likelihood.window_size={window_size}: images have only {size} pixels. {fix}.")
    return fitting[-1]
