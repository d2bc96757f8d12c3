"""The first stage of latent diffusion."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, sum_across_processes
from vae_lightning.distributions import ForwardPass, Laplace
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.models.adversarial import Adversarial
from vae_lightning.models.perceptual import build_perceptual_distance
from vae_lightning.networks import SpatialResNet
from vae_lightning.networks.resnet import conv2d, group_norm
from vae_lightning.regularizers import KL

MAX_ADAPTIVE_WEIGHT = 1e4


class PatchDiscriminator(nn.Sequential):
    """Maps images (B, C, H, W) to logits (B, 1, h, w) of each patch being real. Isola et al. 2017, section 3.2.2.

    Each convolution halves the resolution and is followed by LeakyReLU(0.2). With kernels of size 3, not the paper's 4,
    any image shape works. With group norm, not batch norm, a logit does not depend on the rest of the batch.

    Args:
        in_channels: C.
        channels: output channels of the convolutions before the last.
    """

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([in_channels, *channels]):
            norm = [group_norm(n_out)] if layers else []  # none after the first convolution, as in the paper
            layers += [conv2d(n_in, n_out, stride=2), *norm, nn.LeakyReLU(0.2)]
        super().__init__(*layers, conv2d(channels[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, 1, h, w)."""
        return promote_to_float32(super().forward(x))


class AutoencoderKL(Adversarial):
    """distortion + β · KL + w · perceptual + λ · generator loss. Rombach et al. 2022, Eq. 25; Esser et al. 2021, Eq. 7.

    - distortion: with the default, a Laplace likelihood of scale ½, the sum of |x - x̂| over all values of an image, in
      units in which black is -1 and white is 1. This is the unit of the published weights.
    - perceptual: `PerceptualDistance`, times the number of values C·H·W, since the authors add it to the error of each.
    - generator_loss: -D(x̂), averaged over patches. The discriminator minimizes the hinge loss
      ½ max(0, 1 - D(x)) + ½ max(0, 1 + D(x̂)) from `discriminator_start` on.
    - adaptive_weight: λ = `discriminator_weight` · ‖∇ L_rec‖ / (‖∇ L_gan‖ + 10⁻⁴) with gradients with respect to the
      weights of the decoder's last layer, L_rec = distortion + w · perceptual and L_gan the generator loss. It is 0
      before the start. Validation and test use that of the last training batch.

    The generator loss changes with the discriminator, so it cannot compare epochs. `objective` is the rest of the loss.

    Args:
        beta: β >= 0.
        perceptual_weight: w >= 0.
        features: of the perceptual distance, `random` or `vgg19`, which are downloaded.
        discriminator_weight: factor of λ.
        discriminator_start: number of epochs without the discriminator, which may be a fraction.
        discriminator_channels: see `PatchDiscriminator`.
        latent_dim: number of latents at each position of the map.
        **kwargs: the others of `Adversarial`.
    """

    default_network = SpatialResNet
    default_likelihood = partial(Laplace, scale=0.5)
    compares_images = True
    retains_graph = True  # for the adaptive weight
    adaptive_weight: Tensor  # (), of the last training batch

    def __init__(
        self,
        *,
        beta: float = 1e-6,
        perceptual_weight: float = 1.0,
        features: str = "random",
        discriminator_weight: float = 0.5,
        discriminator_start: float = 1.0,
        discriminator_channels: Sequence[int] = (32, 64),
        latent_dim: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(regularizer=KL(beta=beta), latent_dim=latent_dim, **kwargs)
        self.perceptual_weight = perceptual_weight
        self.discriminator_weight = discriminator_weight
        self.discriminator_start = discriminator_start
        self.perceptual_distance = build_perceptual_distance(features, self.image_shape)
        self.discriminator = PatchDiscriminator(self.image_shape[0], discriminator_channels)
        self.register_buffer("adaptive_weight", torch.tensor(0.0))

    @property
    def trains_discriminator(self) -> bool:
        """Whether `discriminator_start` has been reached, as counted in training images.

        Raises:
            UserError: if the start is not 0 and the number of training images is unknown.
        """
        start = self.discriminator_start
        return start == 0 or self.images_seen >= start * self.regularizer.n

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss and all logged terms; during training, update the weight of the generator loss."""
        terms = super().objective(out)
        reconstruction = out.px.mean
        perceptual = math.prod(self.image_shape) * self.perceptual_distance(out.x, reconstruction).mean()
        generator = -self.discriminator(reconstruction).mean()
        weight = self.adaptive_weight
        if self.training and self.trains_discriminator:
            weight = self.weight_of(generator, terms["distortion"] + self.perceptual_weight * perceptual, len(out.x))
            self.adaptive_weight.copy_(weight)
        return terms | {
            "loss": terms["loss"] + self.perceptual_weight * perceptual + weight * generator,
            "objective": terms["objective"] + self.perceptual_weight * perceptual,
            "perceptual": perceptual,
            "generator_loss": generator,
            "adaptive_weight": weight,
        }

    def weight_of(self, generator: Tensor, reconstruction: Tensor, n: int) -> Tensor:
        """Compute the weight of the generator loss, (), from two means over the n images of this process."""
        last_layer = [p for p in self.decoder.parameters() if p.dim() > 1][-1]

        def gradient_norm(loss: Tensor) -> Tensor:
            (gradient,) = torch.autograd.grad(loss, last_layer, retain_graph=True)
            return sum_across_processes(gradient * (n / global_batch_size(n))).norm()

        ratio = gradient_norm(reconstruction) / (gradient_norm(generator) + 1e-4)
        return self.discriminator_weight * ratio.clamp(max=MAX_ADAPTIVE_WEIGHT)

    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """Compute the hinge loss of telling patches of real images from those of reconstructions."""
        real, fake = self.discriminator(out.x), self.discriminator(out.px.mean.detach())
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
