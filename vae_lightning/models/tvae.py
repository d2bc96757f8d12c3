"""The triplet VAE."""

from typing import Any

from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import Triplets


class TVAE(ELBOModule):
    """distortion + β · KL + λ · max(0, ‖μ_a - μ_p‖² - ‖μ_a - μ_n‖² + margin). Ishfaq et al. 2018; see `Triplets`.

    Args:
        beta: β >= 0.
        triplet_weight: λ >= 0; 0 gives the β-VAE.
        margin: of squared distances, >= 0.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if the model is conditional.
    """

    regularizer: Triplets
    labeled: Tensor | None = None  # indices of the training images with a class, if some have none

    def __init__(self, *, beta: float = 1.0, triplet_weight: float = 10.0, margin: float = 1.0, **kwargs: Any) -> None:
        regularizer = Triplets(beta=beta, triplet_weight=triplet_weight, margin=margin)
        super().__init__(regularizer=regularizer, **kwargs)
        if self.condition_dim:
            raise UserError(
                "model.conditional=true: TVAE learns codes that tell the classes apart, so its encoder must not be"
                " given them. Set model.conditional=false."
            )

    def check_data(self, data: Any) -> None:
        """Check that the data has classes, and find the images that have one.

        Raises:
            UserError: if the data does not suit the model, or has no classes.
        """
        super().check_data(data)
        if data.labeled is None:
            raise UserError(
                "model=tvae: triplets require one class per image, which this data does not have. Set data=digits, or"
                " model=vae."
            )
        self.labeled = data.labeled if data.has_unknown_labels else None

    def training_terms(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the terms of a batch; if some classes are unknown, with the triplets of as many labeled images."""
        if self.labeled is None:
            return self.objective(out)
        x, y = self.data_module.random_batch(len(out.x), self.device, self.labeled)
        triplets = self.regularizer.triplet_terms(self.encode(x).mean, y)
        penalty = self.regularizer.triplet_weight * triplets["triplet_loss"]
        terms = self.objective(out._replace(y=None))  # without triplets
        losses = {"loss": terms["loss"] + self.warmup * penalty, "objective": terms["objective"] + penalty}
        return {**terms, **losses, **triplets}
