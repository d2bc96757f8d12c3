"""The VAE-GAN."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models.adversarial import Adversarial
from vae_lightning.models.image_classifier import ImageDiscriminator
from vae_lightning.regularizers import KL


class VAEGAN(Adversarial):
    """Reconstruction error in the features of an image discriminator. Larsen et al. 2016, Algorithm 1.

    - encoder: KL + L, where L = ½ ‖f(x) - f(x̃)‖² is -log N(f(x); f(x̃), I) less its constant (Eq. 7), f the
      discriminator's features and x̃ the reconstruction.
    - decoder: γ · L - log D(x̃) - log D(x_p), with x_p decoded from the prior (the non-saturating generator loss).
    - discriminator: -log D(x) - log(1 - D(x̃)) - log(1 - D(x_p)).

    L is measured in features that change with the discriminator, so it cannot compare epochs. `objective` is the nelbo
    in pixels, as of the VAE.

    Args:
        gamma: γ > 0.
        beta: the weight of the KL, 1 in the paper.
        **kwargs: the others of `Adversarial`; `network` also builds the encoder of the discriminator.

    Raises:
        UserError: if gamma is not positive.
    """

    compares_images = True

    def __init__(
        self,
        *,
        gamma: float = 1.0,
        beta: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(regularizer=KL(beta=beta), **kwargs)
        if gamma <= 0:
            raise UserError(f"model.gamma={gamma}: must be > 0, since it weights the feature distortion.")
        self.gamma = gamma
        self.discriminator = ImageDiscriminator(self.network.encoder(self.image_shape, 0))

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model. γ weights L for the decoder only, so the gradient to the encoder is divided by γ."""
        x = self.as_images(x)
        qz, pz, z = self.infer(x, y)
        return ForwardPass(x, y, qz, pz, z, self.decode(scale_gradient(z, 1 / self.gamma), y))

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the losses of encoder and decoder as one sum, which gives each its own gradient."""
        distortion = -out.px.log_prob(out.x).mean()
        penalty, terms = self.regularizer(out)
        features = 0.5 * (self.discriminator(out.x)[0] - self.discriminator(out.px.mean)[0]).square().sum(1).mean()
        generator = F.softplus(-self.discriminator(self.fakes(out))[1]).sum() / len(out.x)
        return {
            "loss": self.regularizer.apply_warmup(penalty, terms, self.warmup) + self.gamma * features + generator,
            "objective": distortion + terms["rate"],
            "distortion": distortion,
            "feature_distortion": features,
            "generator_loss": generator,
            **terms,
        }

    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """Compute the cross-entropy of telling real images from reconstructions and samples."""
        with torch.no_grad():
            fakes = self.fakes(out)
        real = F.softplus(-self.discriminator(out.x)[1])
        return real.mean() + F.softplus(self.discriminator(fakes)[1]).sum() / len(out.x)

    def fakes(self, out: ForwardPass) -> Tensor:
        """Decode the latents again, and as many from the prior, without a gradient for the encoder: (2B, C, H, W)."""
        z = torch.cat([out.z, self.sample_prior(len(out.x), out.y)]).detach()
        return self.decode(z, None if out.y is None else torch.cat([out.y, out.y])).mean


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """Return x, whose gradient is multiplied by a factor in the backward pass."""
    return x.detach() + factor * (x - x.detach())  # the second term is exactly 0
