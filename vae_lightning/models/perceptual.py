"""Distance of two images in the features of a fixed network."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions.posterior import promote_to_float32

FEATURE_CHANNELS = (32, 64, 128)  # of the random network; the first layer keeps the resolution, the others halve it
MIN_NORM = 0.01  # of a feature, whose norm is about √(2 · channels): bounds the gradient at uniform gray, where it is 0


class PerceptualDistance(nn.Module):
    """Σ_l 1/(H_l W_l) Σ_hw ‖f_l(x) - f_l(x̂)‖², with features f_l of unit norm. Zhang et al. 2018, Eq. 1 with w_l = 1.

    The features are those of a fixed network with random weights (He et al. 2015, Eq. 10), which requires no download
    and accepts any number of channels and pixels. Such features respond to edges and texture, and their distance to
    structure rather than single pixels, though less closely to human judgment than that of trained features (Amir &
    Weiss 2021). The weights are the same in every run, are never trained, and are stored in the checkpoint.

    Args:
        in_channels: C.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for i, (n_in, n_out) in enumerate(pairwise([in_channels, *FEATURE_CHANNELS])):
            weight = torch.randn(n_out, n_in, 3, 3, generator=generator) * math.sqrt(2 / (9 * n_in))
            self.register_buffer(f"weight_{i}", weight)

    def forward(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """Return the distance of each pair of images (B, C, H, W) in [0, 1], (B,)."""
        distances = [
            (real - fake).square().sum(1).mean((1, 2))
            for real, fake in zip(self.features(x), self.features(reconstruction), strict=True)
        ]
        return torch.stack(distances).sum(0)

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the features of images after each layer, (B, F, h, w)."""
        maps = 2 * x - 1
        for i, weight in enumerate(self.buffers()):
            maps = F.relu(F.conv2d(maps, weight, stride=2 if i else 1, padding=1))
            features = promote_to_float32(maps)
            # faster than F.normalize
            yield features * features.square().sum(1, keepdim=True).clamp_min(MIN_NORM**2).rsqrt()
