"""The FactorVAE."""

from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows, local_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.models.adversarial import Adversarial
from vae_lightning.regularizers import DensityRatio, Discriminator, permute_dims


class FactorVAE(Adversarial):
    """distortion + KL + γ · TC(z), the TC from a discriminator. Kim & Mnih 2018, Eq. 2 and Algorithm 2.

    The discriminator learns from draws of the batch against the permuted draws of a second batch, so that the two are
    independent, as in the algorithm.

    Args:
        gamma: γ ≥ 0, the weight of the total correlation; 0 is the VAE.
        discriminator_dims: the widths of the discriminator's hidden layers.
        latent_dim: D.
        discriminator_optimizer: parameters -> optimiser.
        **parts: the others of `ELBOModule`.
    """

    regularizer: DensityRatio

    def __init__(self, *, gamma: float, discriminator_dims: list[int], latent_dim: int, **parts: Any) -> None:
        regularizer = DensityRatio(gamma=gamma, discriminator=Discriminator(latent_dim, discriminator_dims))
        super().__init__(regularizer=regularizer, latent_dim=latent_dim, **parts)

    @property
    def discriminator(self) -> Discriminator:  # type: ignore[override]
        """It belongs to the regularizer, which asks it for the total correlation."""
        return self.regularizer.discriminator

    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """The cross-entropy; nothing of it reaches the encoder."""
        second = self.trainer.datamodule.random_batch(len(out.x), self.device)  # type: ignore[attr-defined]
        with torch.no_grad():
            z = self.encode(*second).rsample()
        return self.discriminator.loss(out.z.detach(), local_rows(permute_dims(all_gather_rows(z))))
