"""Skipping steps with a large gradient."""

from math import prod
from typing import Any

import lightning as L
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from vae_lightning.models import ELBOModule


class GradientSkip(L.Callback):
    """Skips the steps of an optimizer for which the norm of all its gradients exceeds a threshold. Child 2021.

    Rare batches have a KL, and gradients, that are orders of magnitude too large. A skipped step changes neither the
    weights nor the state of the optimizer. Steps with a gradient of NaN are skipped as well. `train/skipped_steps`
    counts them in each epoch. On a GPU each step makes the host wait for the norm.

    Args:
        max_norm: threshold, for a loss in nats per value of the image as in the paper, so it is multiplied by C·H·W.
    """

    def __init__(self, *, max_norm: float = 400.0) -> None:
        self.max_norm = max_norm
        self.skipped = 0  # in this epoch

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Remove the gradients if they are too large; an optimizer ignores parameters without a gradient."""
        assert isinstance(pl_module, ELBOModule)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = get_total_norm([p.grad for p in parameters])
        if not norm <= self.max_norm * prod(pl_module.image_shape):  # true for NaN
            self.skipped += 1
            for parameter in parameters:
                parameter.grad = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the number of skipped steps."""
        pl_module.log("train/skipped_steps", float(self.skipped))
        self.skipped = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the count of an unfinished epoch."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count."""
        self.skipped = state_dict["skipped"]
