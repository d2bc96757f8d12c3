"""Models that are trained against a discriminator, with two optimizers and two losses per batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import scale_loss
from vae_lightning.distributions import ForwardPass
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.inputs import unpack

DISCRIMINATOR_OPTIMIZER = partial(torch.optim.Adam, lr=1e-4, fused=True)


class Adversarial(ELBOModule, ABC):
    """Base class of models with a discriminator, which has an optimizer of its own.

    Each batch is one step of the autoencoder on `objective`, then one of the discriminator on `discriminator_loss`,
    unless it is not `trains_discriminator` yet. While one is trained, the weights of the other receive no gradient.

    Args:
        discriminator_optimizer: parameters -> optimizer.
        **kwargs: those of `ELBOModule`.

    Attributes:
        discriminator: set by subclasses.
    """

    discriminator: nn.Module

    def __init__(
        self,
        *,
        discriminator_optimizer: Callable[..., torch.optim.Optimizer] = DISCRIMINATOR_OPTIMIZER,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.automatic_optimization = False
        self.discriminator_optimizer = discriminator_optimizer

    @property
    def trains_discriminator(self) -> bool:
        """Whether the discriminator is trained on the current batch: by default on all."""
        return True

    def discriminator_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the second optimizer: by default those of the discriminator."""
        return list(self.discriminator.parameters())

    @abstractmethod
    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """Compute the loss of the discriminator, a scalar, from the forward pass of the autoencoder's step."""

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Take one step of each optimizer."""
        batch = unpack(batch)
        autoencoder, discriminator = cast(list[LightningOptimizer], self.optimizers())
        with self.shard:
            self.toggle_optimizer(autoencoder)
            out = self(*batch)
            terms = self.training_terms(out)
            self.step_optimizer(autoencoder, terms["loss"])
            self.untoggle_optimizer(autoencoder)

            self.toggle_optimizer(discriminator)
            terms["discriminator_loss"] = self.discriminator_loss(out)
            if self.trains_discriminator:
                self.step_optimizer(discriminator, terms["discriminator_loss"])
            self.untoggle_optimizer(discriminator)
            self.accumulate_metrics(batch, terms)

    def step_optimizer(self, optimizer: Any, loss: Tensor) -> None:
        """Take one step of an optimizer on a loss."""
        optimizer.zero_grad()
        self.manual_backward(scale_loss(loss))
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        """Log the training means, and step the schedulers, which Lightning does not for several optimizers."""
        super().on_train_epoch_end()
        for config in self.trainer.lr_scheduler_configs:
            self.lr_scheduler_step(config.scheduler, None)

    def configure_optimizers(self) -> Any:
        """Build the optimizer of the autoencoder, then that of the discriminator, and a scheduler of each."""
        of_discriminator = self.discriminator_parameters()
        ids = {id(p) for p in of_discriminator}
        of_autoencoder = [p for p in self.parameters() if id(p) not in ids]
        optimizers = [self.optimizer(of_autoencoder), self.discriminator_optimizer(of_discriminator)]
        return optimizers if self.scheduler is None else (optimizers, [self.scheduler(o) for o in optimizers])
