"""Semi-supervised disentanglement: models that are given the factors of a few images."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.beta_tcvae import BetaTCVAE
from vae_lightning.models.beta_vae import BetaVAE


class FewLabels(ELBOModule):
    """The objective of another model + γ · Σ_k H(v_k / n_k, σ(μ_k)). Locatello et al. 2020, ICLR, section 3.2.

    Factor k, with n_k values v_k = 0, ..., n_k - 1, is predicted by the mean μ_k of latent k; H is the binary
    cross-entropy. In training it is that of a second batch, drawn from the few images whose factors are given. In
    validation and test it is that of the batch itself.

    To combine it with any model: `class S2DIPVAE(FewLabels, DIPVAE)`.

    Args:
        supervision_weight: γ >= 0. The authors sum H over a batch of 64 images, so theirs is multiplied by 64 here.
        num_labeled: number of training images whose factors are given, the same for all seeds.
        **kwargs: those of the other model.

    Raises:
        UserError: if the posterior means are restricted, as on a sphere, or the model is conditional.
    """

    requires_vector = True
    factor_sizes: Tensor | None  # number of values of each factor, (A,), once the data is known
    labeled: Tensor | None = None  # indices of the training images whose factors are given

    def __init__(self, *, supervision_weight: float = 64.0, num_labeled: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.posterior.support != "vectors":
            raise UserError(
                f"model/posterior: {type(self).__name__} requires unconstrained latents, not {self.posterior.support}."
                " Leave it out."
            )
        if self.condition_dim:
            raise UserError(
                f"model.conditional=true: {type(self).__name__} predicts the factors, so the encoder must not be given"
                " them. Set model.conditional=false."
            )
        self.supervision_weight, self.num_labeled = supervision_weight, num_labeled
        self.register_buffer("factor_sizes", None, persistent=False)  # which moves to the device with the model

    def check_data(self, data: Any) -> None:
        """Check that the data has factors, and choose the images whose factors are given.

        Raises:
            UserError: if the data does not suit the model, has no factors, or too many for the latents or too few
                images.
        """
        super().check_data(data)
        n, y = len(data.splits["train"].x), data.splits["train"].y
        if y is None or y.dim() == 1:
            raise UserError(
                f"data: {type(self).__name__} requires the factors of each image, which this data does not have. Set"
                " data=sprites or data=dsprites."
            )
        if y.shape[1] > self.latent_dim:
            raise UserError(
                f"model.latent_dim={self.latent_dim}: {type(self).__name__} requires a latent for each of the"
                f" {y.shape[1]} factors. Set {y.shape[1]} or more."
            )
        if self.num_labeled > n:
            raise UserError(
                f"model.num_labeled={self.num_labeled}: there are only {n} training images. Set {n} or fewer."
            )
        largest = torch.stack([split.y.amax(0) for split in data.splits.values() if len(split.x)]).amax(0)
        self.factor_sizes = (largest + 1).to(self.device)
        self.labeled = data.labeling_order()[: self.num_labeled]

    def objective(self, out: ForwardPass, labeled: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """Compute the loss and all logged terms.

        Args:
            out: the result of `forward`.
            labeled: images and factors for the cross-entropy; by default those of the batch.
        """
        terms = super().objective(out)
        if self.factor_sizes is None:
            return terms
        mean, y = (out.qz.mean, out.y) if labeled is None else (self.encode(*labeled).mean, labeled[1])
        assert y is not None
        cross_entropy = factor_cross_entropy(mean, y, self.factor_sizes)
        supervision = self.supervision_weight * cross_entropy
        totals = {name: terms[name] + supervision for name in ("loss", "objective")}
        return {**terms, **totals, "factor_cross_entropy": cross_entropy}

    def training_terms(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the terms of a batch, with the cross-entropy of as many images whose factors are given."""
        return self.objective(out, self.data_module.random_batch(len(out.x), self.device, self.labeled))


def factor_cross_entropy(mean: Tensor, y: Tensor, sizes: Tensor) -> Tensor:
    """Return Σ_k H(v_k / n_k, σ(μ_k)), averaged over images.

    Args:
        mean: of all latents, (B, D), of which the first A predict the factors.
        y: factors v, int64 (B, A).
        sizes: n, (A,).
    """
    logits, targets = mean[:, : y.shape[1]], y / sizes
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none").sum(1).mean()


class S2BetaVAE(FewLabels, BetaVAE):
    """`FewLabels` with the objective of the β-VAE.

    Args:
        **kwargs: those of `FewLabels` and `BetaVAE`.
    """


class S2BetaTCVAE(FewLabels, BetaTCVAE):
    """`FewLabels` with the objective of the β-TCVAE.

    Args:
        **kwargs: those of `FewLabels` and `BetaTCVAE`.
    """
