"""Distance of two images in the features of a fixed network."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import VGG19_Weights

from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError, as_user_error, check_choice
from vae_lightning.types import Shape

FEATURE_CHANNELS = (32, 64, 128)  # of the random network; the first layer keeps the resolution, the others halve it
VGG_LAYERS = {"0": 64, "2": 64, "5": 128, "7": 128, "10": 256}  # index of each convolution in VGG-19 -> its channels
VGG_FEATURES = ("0", "5", "10")  # relu1_1, relu2_1 and relu3_1, each but the first after a second pooling
MIN_NORM = 0.01  # of a feature, whose norm is about √(2 · channels): bounds the gradient at uniform gray, where it is 0


class PerceptualDistance(nn.Module, ABC):
    """Σ_l 1/(H_l W_l) Σ_hw ‖f_l(x) - f_l(x̂)‖², with features f_l of unit norm. Zhang et al. 2018, Eq. 1 with w_l = 1.

    The weights of the network of the features are never trained, and are stored in the checkpoint.
    """

    def forward(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """Return the distance of each pair of images (B, C, H, W) in [0, 1], (B,)."""
        distances = [
            (real - fake).square().sum(1).mean((1, 2))
            for real, fake in zip(self.features(x), self.features(reconstruction), strict=True)
        ]
        return torch.stack(distances).sum(0)

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the features of images of unit norm, (B, F, h, w), layer by layer."""
        for maps in self.layers(x):
            features = promote_to_float32(maps)
            # faster than F.normalize
            yield features * features.square().sum(1, keepdim=True).clamp_min(MIN_NORM**2).rsqrt()

    @abstractmethod
    def layers(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the features of images (B, C, H, W) in [0, 1] before the normalization, (B, F, h, w)."""


class RandomFeatureDistance(PerceptualDistance):
    """The distance in features of a network with random weights (He et al. 2015, Eq. 10), the same in every run.

    It requires no download and accepts any number of channels and pixels. Such features respond to edges and texture,
    and their distance to structure rather than single pixels, though less closely to human judgment than that of
    trained features (Amir & Weiss 2021).

    Args:
        in_channels: C.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for i, (n_in, n_out) in enumerate(pairwise([in_channels, *FEATURE_CHANNELS])):
            weight = torch.randn(n_out, n_in, 3, 3, generator=generator) * math.sqrt(2 / (9 * n_in))
            self.register_buffer(f"weight_{i}", weight)

    def layers(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the features after each layer."""
        maps = 2 * x - 1
        for i, weight in enumerate(self.buffers()):
            maps = F.relu(F.conv2d(maps, weight, stride=2 if i else 1, padding=1))
            yield maps


class VGGFeatureDistance(PerceptualDistance):
    """The distance in relu1_1, relu2_1 and relu3_1 of VGG-19 trained on ImageNet, the features of Hou et al. 2017.

    The weights are downloaded by torchvision on first use (548 MB), unless they come from a checkpoint, which holds the
    2 MB of these layers.

    Args:
        image_shape: (C, H, W), with C = 1 for gray images, or 3.

    Raises:
        UserError: if C is another number, or the images have fewer than 4 pixels per side.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, image_shape: Shape) -> None:
        super().__init__()
        channels, height, width = image_shape
        if channels not in (1, 3) or min(height, width) < 4:
            raise UserError(
                f"model.features=vgg19: requires images of 1 or 3 channels and at least 4 x 4 pixels, got {channels} x"
                f" {height} x {width}. Set model.features=random."
            )
        self.is_loaded = False
        normalization = VGG19_Weights.IMAGENET1K_V1.transforms()
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(normalization, name)).view(3, 1, 1), persistent=False)
        for n_in, (layer, n_out) in zip([3, *VGG_LAYERS.values()], VGG_LAYERS.items(), strict=False):
            self.register_buffer(f"weight_{layer}", torch.zeros(n_out, n_in, 3, 3))
            self.register_buffer(f"bias_{layer}", torch.zeros(n_out))
        self.register_load_state_dict_post_hook(mark_loaded)

    def layers(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the features of the three layers.

        Raises:
            UserError: if the weights cannot be downloaded.
        """
        if not self.is_loaded:
            self.download()
        maps = (x - self.mean) / self.std
        for layer in VGG_LAYERS:
            maps = F.relu(F.conv2d(maps, getattr(self, f"weight_{layer}"), getattr(self, f"bias_{layer}"), padding=1))
            if layer in VGG_FEATURES:
                yield maps
            else:
                maps = F.max_pool2d(maps, 2)

    def download(self) -> None:
        """Load the weights from the files of torchvision, which are downloaded if they are missing.

        Raises:
            UserError: if they cannot be downloaded.
        """
        url = VGG19_Weights.IMAGENET1K_V1.url
        with as_user_error(
            "model.features=vgg19: the weights cannot be downloaded ({error})."
            f" Put {url} into {torch.hub.get_dir()}/checkpoints, or set model.features=random."
        ):
            weights = torch.hub.load_state_dict_from_url(url, check_hash=True, weights_only=True)
        for layer in VGG_LAYERS:
            getattr(self, f"weight_{layer}").copy_(weights[f"features.{layer}.weight"])
            getattr(self, f"bias_{layer}").copy_(weights[f"features.{layer}.bias"])
        self.is_loaded = True


def mark_loaded(distance: VGGFeatureDistance, _: Any) -> None:
    """Record that the weights come from a checkpoint, unless it was written before they were loaded."""
    distance.is_loaded = bool(distance.get_buffer("weight_0").any())


def build_perceptual_distance(features: str, image_shape: Shape) -> PerceptualDistance:
    """Build the distance of images (C, H, W) in `random` features, or in those of `vgg19`.

    Raises:
        UserError: for any other features, or if they do not support the images.
    """
    check_choice("model.features", features, ("random", "vgg19"))
    return RandomFeatureDistance(image_shape[0]) if features == "random" else VGGFeatureDistance(image_shape)
