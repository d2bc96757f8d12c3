"""The VAE with clusters in its latent space."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import Prior
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.latent_prior import initialize_prior
from vae_lightning.priors import MixturePrior
from vae_lightning.regularizers import MixtureKL, log_cluster_probs

log = logging.getLogger(__name__)
PRIOR = partial(MixturePrior, num_components=10, covariance="diagonal")


class VaDE(ELBOModule):
    """distortion + KL(q(z, c|x) || p(z, c)), with a learned Gaussian for each cluster c. Jiang et al. 2017.

    See `regularizers.MixtureKL` for q(c|x). For the first epochs all components are N(0, I) and are not learned, so the
    model is a VAE. Then the EM algorithm fits the mixture to latents of training images, as the paper does for those of
    an autoencoder, and everything is learned together.

    Args:
        pretrain_epochs: number of the first epochs; 0 learns the mixture from its random initialization instead.
        prior: the mixture; see `ELBOModule`.
        **kwargs: the others of `ELBOModule`.

    Raises:
        UserError: if the prior is not a mixture.
    """

    prior: MixturePrior

    def __init__(self, *, pretrain_epochs: int = 10, prior: Callable[..., Prior] = PRIOR, **kwargs: Any) -> None:
        super().__init__(regularizer=MixtureKL(), prior=prior, **kwargs)
        if not isinstance(self.prior, MixturePrior):
            raise UserError("model/prior: VaDE requires a mixture. Set model/prior=gaussian_mixture.")
        self.pretrain_epochs = pretrain_epochs
        if pretrain_epochs:
            torch.nn.init.zeros_(self.prior.mu)

    def cluster(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return q(c|x) of images (B, C, H, W), (B, K)."""
        return log_cluster_probs(self.encode(x, y), self.prior(self.encode, None)).exp()

    @property
    def fitting_epoch(self) -> int:
        """The epoch at whose start the mixture is fitted; 0 if it is that of another run, which is learned further."""
        return 0 if self.is_pretrained else self.pretrain_epochs

    def on_fit_start(self) -> None:
        """Warn if the training ends before the clusters are fitted."""
        super().on_fit_start()
        epochs = self.trainer.max_epochs
        is_short = self.fitting_epoch and epochs and 0 < epochs <= self.fitting_epoch
        if is_short and self.trainer.is_global_zero:
            log.warning(
                "model.pretrain_epochs=%d: trainer.max_epochs=%d ends the training before the clusters are fitted. Set"
                " more epochs.",
                self.pretrain_epochs,
                epochs,
            )

    def on_train_epoch_start(self) -> None:
        """Fit the mixture once, at the start of the first epoch in which it is learned."""
        super().on_train_epoch_start()
        if 0 < self.fitting_epoch == self.current_epoch:
            self.eval()
            initialize_prior(self, lambda batch: self.encode(*batch).rsample())
            self.train()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep the mixture as it is during the first epochs.

        Gradients of zero would do so as well, but Adam would count the steps, and its first ones after them would be
        too large.
        """
        if self.current_epoch < self.fitting_epoch:
            for parameter in self.prior.parameters():
                parameter.grad = None
