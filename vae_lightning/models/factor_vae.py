"""The FactorVAE."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows, local_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.models.adversarial import Adversarial
from vae_lightning.regularizers import DensityRatio, Discriminator, permute_dims

DISCRIMINATOR_OPTIMIZER = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.9), fused=True)


class FactorVAE(Adversarial):
    """distortion + KL + γ · TC(z), with TC estimated by a discriminator. Kim & Mnih 2018, Eq. 2 and Algorithm 2.

    The discriminator compares samples of the batch with permuted samples of a second batch, so that the two are
    independent, as in the algorithm.

    Args:
        gamma: γ >= 0, the weight of the total correlation; 0 gives the VAE.
        discriminator_dims: widths of the hidden layers of the discriminator.
        latent_dim: D.
        discriminator_optimizer: parameters -> optimizer.
        **kwargs: the others of `ELBOModule`.
    """

    regularizer: DensityRatio
    requires_vector = True

    def __init__(
        self,
        *,
        gamma: float = 10.0,
        discriminator_dims: Sequence[int] = (1000,) * 6,
        latent_dim: int = 10,
        discriminator_optimizer: Callable[..., torch.optim.Optimizer] = DISCRIMINATOR_OPTIMIZER,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            regularizer=DensityRatio(gamma=gamma, discriminator=Discriminator(latent_dim, list(discriminator_dims))),
            latent_dim=latent_dim,
            discriminator_optimizer=discriminator_optimizer,
            **kwargs,
        )

    @property
    def discriminator(self) -> Discriminator:  # type: ignore[override]
        """The discriminator. It belongs to the regularizer, which estimates the total correlation with it."""
        return self.regularizer.discriminator

    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """Compute the cross-entropy, without a gradient for the encoder."""
        second = self.data_module.random_batch(len(out.x), self.device)
        with torch.no_grad():
            z = self.encode(*second).rsample()
        return self.discriminator.loss(out.z.detach(), local_rows(permute_dims(all_gather_rows(z))))
