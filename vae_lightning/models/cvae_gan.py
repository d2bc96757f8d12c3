"""The CVAE-GAN."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass, Gaussian
from vae_lightning.errors import UserError
from vae_lightning.models.image_classifier import ImageClassifier
from vae_lightning.models.vae_gan import VAEGAN
from vae_lightning.networks import Conv
from vae_lightning.types import num_latents


class ClassCenters(nn.Module):
    """Mean features per class of real and generated images, as moving averages over batches. Bao et al. 2017, 3.2.

    A batch has too few images of a class for its mean: the noise of the mean would add to the distance of two centers.
    A class that a batch lacks keeps its centers; the first batch that has it sets them.

    Args:
        num_classes: K.
        num_features: F.
        decay: of the moving averages.
    """

    centers: Tensor  # (2, K, F), of real and of generated images
    batches: Tensor  # (K,), number of training batches so far with images of the class

    def __init__(self, num_classes: int, num_features: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("centers", torch.zeros(2, num_classes, num_features))
        self.register_buffer("batches", torch.zeros(num_classes, dtype=torch.int64))

    def forward(self, real: Tensor, generated: Tensor, y: Tensor) -> Tensor:
        """Return the centers, (2, K, F), including this batch; during training, keep them.

        Their gradient is that of the batch means. That of a moving average would be smaller by a factor 1 - decay.

        Args:
            real: features of real images, (B, F).
            generated: features of images generated for the same classes, (B, F).
            y: classes, (B,) int64.
        """
        features = torch.stack([all_gather_rows(real), all_gather_rows(generated)])
        y = all_gather_rows(y)
        counts = torch.zeros_like(self.batches).index_add(0, y, torch.ones_like(y))
        sums = torch.zeros_like(self.centers).index_add(1, y, features)
        means = sums / counts.clamp_min(1)[:, None]
        weight = torch.where(self.batches == 0, 1.0, 1 - self.decay).to(means) * (counts > 0)
        centers = torch.lerp(self.centers, means.detach(), weight[:, None])
        if self.training:
            self.centers.copy_(centers)
            self.batches += counts > 0
        return centers + (means - means.detach())  # the second term is exactly 0


class CVAEGAN(VAEGAN):
    """Reconstruction in pixels and in features of a discriminator and a classifier. Bao et al. 2017, Algorithm 1.

    With x̃ the reconstruction, x_p decoded from the prior for the same class, and the features f_D and f_C that enter
    the last layers of discriminator D and classifier C:

    - encoder: β · KL + L_G, where L_G = -log p(x|z) + ½ ‖f_D(x) - f_D(x̃)‖² + ½ ‖f_C(x) - f_C(x̃)‖². With the default,
      a Gaussian likelihood of σ = 1, the first term is ½ ‖x - x̃‖² plus a constant.
    - decoder: γ · L_G + λ_GD · ½ ‖E f_D(x) - E f_D(x_p)‖² + λ_GC · ½ Σ_c ‖E_c f_C(x) - E_c f_C(x_p)‖², with E the mean
      over the batch and E_c that of `ClassCenters`. There is no term -log D(x_p): this is the asymmetry of the title.
    - discriminator: -log D(x) - log(1 - D(x̃)) - log(1 - D(x_p)); classifier: -log C(y|x). One optimizer trains both,
      and `discriminator_loss` is their sum.

    The features change during training, so they cannot compare epochs. `objective` is the nelbo in pixels.

    Args:
        conditional: must be true.
        beta: β >= 0, the authors' λ_1 relative to λ_2.
        lambda_gd: λ_GD >= 0, their λ_3, which is 1e-3 for features of another scale.
        lambda_gc: λ_GC >= 0, their λ_4, likewise.
        decay: of the moving averages of the class centers, in (0, 1).
        **kwargs: the others of `VAEGAN`, of which γ is their λ_2; `network` also builds an encoder each for D and C.

    Raises:
        UserError: if the model is not conditional, or gamma is not positive.
    """

    default_likelihood = partial(Gaussian, sigma=1.0)
    default_network = partial(Conv, batch_norm=True)

    def __init__(
        self,
        *,
        conditional: bool = True,
        beta: float = 3.0,
        lambda_gd: float = 0.1,
        lambda_gc: float = 0.1,
        decay: float = 0.9,
        **kwargs: Any,
    ) -> None:
        if not conditional:
            raise UserError("model.conditional=false: CVAEGAN requires classes. Set model.conditional=true.")
        super().__init__(conditional=True, beta=beta, **kwargs)
        self.lambda_gd, self.lambda_gc = lambda_gd, lambda_gc
        encoder = self.network.encoder(self.image_shape, 0)
        self.classifier = ImageClassifier(encoder, self.condition_dim)
        num_features = num_latents(self.network.latent_shape(self.image_shape, encoder.num_features))
        self.class_centers = ClassCenters(self.condition_dim, num_features, decay)

    def discriminator_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of discriminator and classifier."""
        return [*super().discriminator_parameters(), *self.classifier.parameters()]

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model.

        Raises:
            UserError: if the labels are attributes.
        """
        if y is not None and y.dim() != 1:
            raise UserError(
                f"model=cvae_gan: requires one class per image, got {y.shape[1]} attributes. Set model=vae_gan"
                " model.conditional=true."
            )
        return super().forward(x, y)

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the losses of encoder and decoder as one sum, which gives each its own gradient."""
        assert out.y is not None
        y = out.y.long()
        distortion = -out.px.log_prob(out.x).mean()
        penalty, terms = self.regularizer(out)
        samples = self.decode(self.sample_prior(len(out.x), out.y).detach(), out.y).mean
        images = (out.x, out.px.mean, samples)
        (real_d, fake_d, sample_d), _ = zip(*map(self.discriminator, images), strict=True)
        (real_c, fake_c, sample_c), (logits, *_) = zip(*map(self.classifier, images), strict=True)
        features = 0.5 * ((real_d - fake_d).square().sum(1) + (real_c - fake_c).square().sum(1)).mean()
        matching = 0.5 * all_gather_rows(real_d - sample_d).mean(0).square().sum()
        centers = self.class_centers(real_c, sample_c, y)
        class_matching = 0.5 * (centers[0] - centers[1]).square().sum()
        decoder = self.gamma * (distortion + features) + self.lambda_gd * matching + self.lambda_gc * class_matching
        return {
            "loss": self.regularizer.apply_warmup(penalty, terms, self.warmup) + decoder,
            "objective": distortion + terms["rate"],
            "distortion": distortion,
            "feature_distortion": features,
            "feature_matching": matching,
            "class_feature_matching": class_matching,
            "classifier_loss": F.cross_entropy(logits, y),
            **terms,
        }

    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """Compute the cross-entropies of the discriminator, and of the classifier on real images."""
        assert out.y is not None
        return super().discriminator_loss(out) + F.cross_entropy(self.classifier(out.x)[1], out.y.long())
