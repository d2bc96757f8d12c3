"""Models that are trained against a discriminator: two optimisers, two losses a batch."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from vae_lightning.distributions import Inference, weighed
from vae_lightning.models.elbo import ELBOModule


class Adversarial(ELBOModule):
    """An autoencoder and a discriminator, each with an optimiser of its own that holds nothing of the other.

    Each batch is a step of the autoencoder on `objective`, then one of the discriminator on `discriminator_loss`. While
    one is trained the other's weights take no gradient.

    Args:
        discriminator_optimizer: parameters -> optimiser.
        **parts: those of `ELBOModule`.
    """

    def __init__(self, *, discriminator_optimizer: Callable[..., torch.optim.Optimizer], **parts: Any) -> None:
        super().__init__(**parts)
        self.automatic_optimization = False
        self.discriminator_optimizer = discriminator_optimizer

    @property
    @abstractmethod
    def adversary(self) -> nn.Module:
        """The discriminator."""

    @abstractmethod
    def discriminator_loss(self, s: Inference) -> Tensor:
        """What the discriminator minimises, a scalar; s is the pass of the autoencoder's step."""

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One step of each."""
        autoencoder, discriminator = cast(list[LightningOptimizer], self.optimizers())
        with self.share:
            self.toggle_optimizer(autoencoder)
            s = self(*batch)
            terms = self.objective(s)
            self.descend(autoencoder, terms["loss"])
            self.untoggle_optimizer(autoencoder)

            self.toggle_optimizer(discriminator)
            terms["discriminator_loss"] = self.discriminator_loss(s)
            self.descend(discriminator, terms["discriminator_loss"])
            self.untoggle_optimizer(discriminator)
            self.note(batch, terms)

    def descend(self, optimizer: Any, loss: Tensor) -> None:
        """One step down the loss."""
        optimizer.zero_grad()
        self.manual_backward(weighed(loss))
        optimizer.step()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """The autoencoder's optimiser, then the discriminator's."""
        of_discriminator = {id(p) for p in self.adversary.parameters()}
        of_autoencoder = [p for p in self.parameters() if id(p) not in of_discriminator]
        return [self.optimizer(of_autoencoder), self.discriminator_optimizer(self.adversary.parameters())]
