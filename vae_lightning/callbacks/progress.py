"""The progress bar."""

import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

from vae_lightning.models import ELBOModule


class ProgressBar(RichProgressBar):
    """Lightning's rich progress bar with the mean loss of the epoch so far, updated only when it is time to draw.

    Lightning reads the values that a training step logs for the progress bar from the device after every step, which
    makes the host wait. So our training steps log nothing, and the loss is read here, `refresh_rate` times per second.
    """

    due = 0.0  # time of the next drawing

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Draw if it is time, and after the last batch of an epoch."""
        if self.is_enabled and (time.monotonic() >= self.due or trainer.is_last_batch):
            super().on_train_batch_end(trainer, *args)
            self.due = time.monotonic() + 1 / self.refresh_rate

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Return the mean loss of this process, and Lightning's metrics under names that fit in a terminal."""
        assert isinstance(pl_module, ELBOModule)
        means = pl_module.means["train"].compute(lambda sums: sums)
        loss = {"loss": means["loss"].item()} if means else {}
        metrics = super().get_metrics(trainer, pl_module)
        return loss | {str(name).partition("/")[0]: value for name, value in metrics.items()}

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        """Return Lightning's columns without the speed, so that a line fits in 80 characters."""
        return super().configure_columns(trainer)[:-1]

    def _get_train_description(self, current_epoch: int) -> str:
        """Return the number of the epoch, counted from 1 as in the figures and in Lightning's `max_epochs`."""
        last = f"/{self.trainer.max_epochs}" if (self.trainer.max_epochs or -1) > 0 else ""
        return f"Epoch {current_epoch + 1}{last}".ljust(len(self.validation_description))
