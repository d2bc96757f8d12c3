"""The deep feature consistent VAE."""

import math
from typing import Any

from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.perceptual import build_perceptual_distance
from vae_lightning.regularizers import KL


class DFCVAE(ELBOModule):
    """v · distortion + w · perceptual + β · KL: a VAE that compares images by deep features. Hou et al. 2017.

    - perceptual: `PerceptualDistance` times the number of values C·H·W, as in `AutoencoderKL`. The paper's features are
      those of VGG-19, without the normalization.
    - distortion: in pixels, and part of the nelbo as of any model. The paper has none in its loss (v = 0).

    Args:
        pixel_weight: v >= 0.
        perceptual_weight: w >= 0.
        features: of the perceptual distance, `random` or `vgg19`, which are downloaded.
        beta: β >= 0.
        **kwargs: the others of `ELBOModule`.
    """

    compares_images = True

    def __init__(
        self,
        *,
        pixel_weight: float = 1.0,
        perceptual_weight: float = 1.0,
        features: str = "random",
        beta: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(regularizer=KL(beta=beta), **kwargs)
        self.pixel_weight, self.perceptual_weight = pixel_weight, perceptual_weight
        self.perceptual_distance = build_perceptual_distance(features, self.image_shape)

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss and all logged terms."""
        distortion = -out.px.log_prob(out.x).mean()
        perceptual = math.prod(self.image_shape) * self.perceptual_distance(out.x, out.px.mean).mean()
        reconstruction = self.pixel_weight * distortion + self.perceptual_weight * perceptual
        penalty, terms = self.regularizer(out)
        return {
            "loss": reconstruction + self.regularizer.apply_warmup(penalty, terms, self.warmup),
            "objective": reconstruction + penalty,
            "distortion": distortion,
            "perceptual": perceptual,
            **terms,
        }
