"""The progress bar."""

import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

from vae_lightning.models import ELBOModule


class ProgressBar(RichProgressBar):
    """Lightning's, with the mean loss of the epoch so far, told of a batch only when it is time to draw.

    Whatever a training step logs for the progress bar, Lightning reads from the device after every step, and the host
    waits. So the training steps of this package log nothing, and the loss is read here, `refresh_rate` times a second.
    """

    due = 0.0  # when to draw

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Draw when it is time, and the last batch of an epoch."""
        if self.is_enabled and (time.monotonic() >= self.due or trainer.is_last_batch):
            super().on_train_batch_end(trainer, *args)
            self.due = time.monotonic() + 1 / self.refresh_rate

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Lightning's numbers, and the loss of this process's images."""
        assert isinstance(pl_module, ELBOModule)
        means = pl_module.means["train"].compute(lambda sums: sums)
        loss = {"loss": means["loss"].item()} if means else {}
        return loss | super().get_metrics(trainer, pl_module)
