"""The representation of a few images, and the metrics of it that are cheap enough to compute during training."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from vae_lightning import metrics
from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule
from vae_lightning.models.encoding import Encoded, encode

BATCH_SIZE = 250  # images per pass
TREES = 20  # per forest of DCI


@dataclass
class Representation:
    """The codes of N images, and their labels. Use it inside `isolated_eval`.

    Its attributes raise a `UserError` if the model or the data does not have them.

    Args:
        model: in eval mode.
        images: uint8 or float32 in [0, 1], (N, C, H, W), and their labels.
    """

    model: ELBOModule
    images: Batch

    @cached_property
    def encoded(self) -> Encoded:
        """The encoder's output."""
        batches = (batch.to(self.model.device) for batch in self.images.split(BATCH_SIZE))
        return encode(self.model, batches, seed=0)

    @property
    def codes(self) -> Tensor:
        """The posterior means, (N, D)."""
        return self.encoded.mean

    @property
    def labels(self) -> Tensor:
        """Classes (N,), or attributes or factors (N, A)."""
        if self.images.y is None:
            raise UserError("requires labels, which this data does not have. Leave it out.")
        if self.model.encoder_is_given_labels:
            raise UserError(
                "requires an encoder that is not given the labels. Set model.conditional=false, or leave it out."
            )
        return self.images.y

    @property
    def factors(self) -> Tensor:
        """Attributes or factors, (N, A)."""
        if self.images.y is None or self.images.y.dim() == 1:
            raise UserError("requires factors. Set data=sprites or data=dsprites, or leave it out.")
        return self.labels

    @property
    def halves(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Codes and labels of one half of the images, to train a classifier, and of the other half, to test it."""
        half = len(self.codes) // 2
        if not half:
            raise UserError("requires two images. Set callbacks.metrics.num_images, or a larger data.val_size.")
        return self.codes[:half], self.labels[:half], self.codes[half:], self.labels[half:]

    @cached_property
    def information(self) -> metrics.Information:
        """The information terms of a diagonal Gaussian q(z|x)."""
        _, z, logvar, *_ = self.encoded
        if logvar is None or not self.model.posterior.factorizes:
            raise UserError("requires a diagonal Gaussian q(z|x), which this model does not have. Leave it out.")
        return metrics.information(self.codes, logvar, z)


METRICS: dict[str, Callable[[Representation], float]] = {
    "mig": lambda r: metrics.mig(r.codes, r.factors),
    "dci_disentanglement": lambda r: metrics.dci(r.codes, r.factors, trees=TREES).disentanglement,
    "factor_vae_metric": lambda r: metrics.factor_vae_metric(r.codes, r.factors),
    "sap": lambda r: metrics.sap(r.codes, r.factors),
    "linear_probe": lambda r: metrics.linear_probe(*r.halves).mean,
    "knn": lambda r: metrics.knn_accuracy(*r.halves).mean,
    "active_units": lambda r: metrics.active_units(r.encoded.deviation),
    # not to be confused with the minibatch estimates that BetaTCVAE and FactorVAE log
    "exact_mutual_information": lambda r: r.information.mutual_information.mean().item(),
    "exact_total_correlation": lambda r: r.information.total_correlation.mean().item(),
}
