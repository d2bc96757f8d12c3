"""The semi-supervised VAE."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.image_classifier import ImageClassifier
from vae_lightning.regularizers import KL, kl


class M2(ELBOModule):
    """p(x|y, z) p(y) p(z) with q(z|x, y) and q(y|x), where most labels y are unknown. Kingma et al. 2014, model M2.

    With a uniform p(y) over K classes, and L(x, y) the distortion and rate of the conditional VAE plus log K:

    - an image with a label contributes L(x, y), its bound on -log p(x, y);
    - one without contributes U(x) = Σ_y q(y|x) (L(x, y) + log q(y|x)), its bound on -log p(x);
    - the classifier q(y|x) is also trained on labels: α times its mean cross-entropy on images with a label.

    The three are summed to the paper's J^α per image. In training, the cross-entropy is that of a second batch, drawn
    from the images with labels: if they are few, a batch often has none, and to weight those that it has by N over
    their number would give an estimate with a large variance.

    `distortion`, `rate` and `nelbo` are those of U(x) for all images, whether or not their label is known, so that
    training and validation are comparable, with each other and with models that use no labels. `accuracy` is the
    fraction of images with a label for which q(y|x) is largest at it.

    Args:
        conditional: must be true.
        classification_weight: α >= 0, the paper's α divided by N.
        **kwargs: the others of `ELBOModule`; `network` also builds an encoder for the classifier. The networks process
            num_classes times the batch.

    Raises:
        UserError: if the model is not conditional, or the scale of the likelihood is fitted to each batch.
    """

    accepts_unknown_labels = True
    supports_fitted_scale = False

    def __init__(
        self,
        *,
        conditional: bool = True,
        classification_weight: float = 0.1,
        **kwargs: Any,
    ) -> None:
        if not conditional:
            raise UserError("model.conditional=false: M2 requires classes. Set model.conditional=true.")
        super().__init__(regularizer=KL(beta=1.0), conditional=True, **kwargs)
        self.classification_weight = classification_weight
        self.classifier = ImageClassifier(self.network.encoder(self.image_shape, 0), self.condition_dim)

    def classify(self, x: Tensor) -> Tensor:
        """Return log q(y|x) of images (B, C, H, W), (B, K)."""
        return F.log_softmax(self.classifier(self.as_images(x))[1], dim=1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model with every class: all tensors have K·B rows, of which the first B are those of the labels.

        Args:
            x: images, (B, C, H, W), uint8 or float in [0, 1].
            y: labels, (B,), -1 where they are unknown. They are repeated K times in the result.

        Raises:
            UserError: if there are no labels, or they are attributes.
        """
        if y is not None and y.dim() != 1:
            raise UserError(
                f"model=m2: requires one class per image, got {y.shape[1]} attributes. Set model=cvae to condition on"
                " attributes."
            )
        k = self.condition_dim
        repeated = self.as_images(x).repeat(k, 1, 1, 1)
        if y is None:
            return super().forward(repeated)  # raises the error for missing labels
        return super().forward(repeated, every_class(y, k).flatten())._replace(y=y.repeat(k))

    def objective(self, out: ForwardPass, labeled: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """Compute the loss and all logged terms.

        Args:
            out: the result of `forward`.
            labeled: images and labels for the cross-entropy; by default those of the batch.
        """
        assert out.y is not None
        k = self.condition_dim
        x, y = out.x[: len(out.x) // k], out.y[: len(out.y) // k].long()
        log_probs = self.classify(x)  # (B, K)
        log_q = log_probs.gather(1, every_class(y, k).T).T  # (K, B), the given label first
        distortion, rate = -out.px.log_prob(out.x).view(k, -1), kl(out).view(k, -1)
        label_rate = (log_q.exp() * log_q).sum(0) + math.log(k)  # KL(q(y|x) || p(y)), which the warm-up leaves as it is

        def bound(warmup: float) -> Tensor:
            total = distortion + warmup * rate
            return torch.where(y < 0, average(log_q, total) + label_rate, total[0] + math.log(k)).mean()

        log_probs, labels = (log_probs, y) if labeled is None else (self.classify(labeled[0]), labeled[1].long())
        num_known = (labels >= 0).sum().clamp(min=1)
        cross_entropy = F.nll_loss(log_probs, labels, ignore_index=-1, reduction="sum") / num_known
        classification = self.classification_weight * cross_entropy
        return {
            "loss": bound(self.warmup) + classification,
            "objective": bound(1.0) + classification,
            "distortion": average(log_q, distortion).mean(),
            "rate": (average(log_q, rate) + label_rate).mean(),
            "label_rate": label_rate.mean(),
            "cross_entropy": cross_entropy,
            "accuracy": (log_probs.argmax(1) == labels).sum() / num_known,
        }

    def training_terms(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the terms of a batch, with the cross-entropy of as many images with labels."""
        n, data = len(out.x) // self.condition_dim, self.data_module
        return self.objective(out, data.random_batch(n, self.device, data.labeled))


def every_class(y: Tensor, num_classes: int) -> Tensor:
    """Return every class for each label (B,), (K, B), with the label itself first if it is known."""
    return (y.long().clamp(min=0) + torch.arange(num_classes, device=y.device)[:, None]) % num_classes


def average(log_q: Tensor, values: Tensor) -> Tensor:
    """Return the expectation of values (K, B) under q(y|x), (B,)."""
    return (log_q.exp() * values).sum(0)
