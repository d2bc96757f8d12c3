"""The triplet VAE."""

from typing import Any

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
    """

    def __init__(self, *, beta: float = 1.0, triplet_weight: float = 10.0, margin: float = 1.0, **kwargs: Any) -> None:
        regularizer = Triplets(beta=beta, triplet_weight=triplet_weight, margin=margin)
        super().__init__(regularizer=regularizer, **kwargs)

    def check_data(self, data: Any) -> None:
        """Check that the data has classes, which the encoder is not given.

        Raises:
            UserError: if the data does not suit the model, or has no classes, or the model is conditional.
        """
        super().check_data(data)
        if self.condition_dim:
            raise UserError(
                "model.conditional=true: TVAE learns codes that tell the classes apart, so its encoder must not be"
                " given them. Set model.conditional=false."
            )
        if data.labeled is None:
            raise UserError(
                "model=tvae: triplets require one class per image, which this data does not have. Set data=digits, or"
                " model=vae."
            )
