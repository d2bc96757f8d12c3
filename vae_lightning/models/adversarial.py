"""Models that are trained against a discriminator: two optimisers, two losses a batch."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import scale_loss
from vae_lightning.distributions import ForwardPass
from vae_lightning.models.base import ELBOModule


class Adversarial(ELBOModule):
    """An autoencoder and a discriminator, each with an optimiser of its own that holds nothing of the other.

    Each batch is a step of the autoencoder on `objective`, then one of the discriminator on `discriminator_loss`. While
    one is trained the other's weights take no gradient.

    Args:
        discriminator_optimizer: parameters -> optimiser.
        **parts: those of `ELBOModule`.

    Attributes:
        discriminator: a subclass sets it.
    """

    discriminator: nn.Module

    def __init__(self, *, discriminator_optimizer: Callable[..., torch.optim.Optimizer], **parts: Any) -> None:
        super().__init__(**parts)
        self.automatic_optimization = False
        self.discriminator_optimizer = discriminator_optimizer

    @abstractmethod
    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """What the discriminator minimises, a scalar; s is the pass of the autoencoder's step."""

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One step of each."""
        autoencoder, discriminator = cast(list[LightningOptimizer], self.optimizers())
        with self.shard:
            self.toggle_optimizer(autoencoder)
            out = self(*batch)
            terms = self.objective(out)
            self.step_optimizer(autoencoder, terms["loss"])
            self.untoggle_optimizer(autoencoder)

            self.toggle_optimizer(discriminator)
            terms["discriminator_loss"] = self.discriminator_loss(out)
            self.step_optimizer(discriminator, terms["discriminator_loss"])
            self.untoggle_optimizer(discriminator)
            self.accumulate_metrics(batch, terms)

    def step_optimizer(self, optimizer: Any, loss: Tensor) -> None:
        """One step down the loss."""
        optimizer.zero_grad()
        self.manual_backward(scale_loss(loss))
        optimizer.step()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """The autoencoder's optimiser, then the discriminator's."""
        of_discriminator = {id(p) for p in self.discriminator.parameters()}
        of_autoencoder = [p for p in self.parameters() if id(p) not in of_discriminator]
        return [self.optimizer(of_autoencoder), self.discriminator_optimizer(self.discriminator.parameters())]
