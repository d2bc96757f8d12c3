"""Metrics of the representation during training."""

from collections.abc import Sequence
from typing import Any

import lightning as L
import torch

from vae_lightning.callbacks.representation import METRICS, Representation
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError, check_choice
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.probe_images import data_module_of, probe_images
from vae_lightning.models import ELBOModule

NUM_CHECKED = 100  # images on which all metrics are computed before training


class RepresentationMetrics(L.Callback):
    """Logs metrics of the representation of validation images as `val/NAME`.

    They are computed at the first validation and then at the first one of every n epochs, on the same images each time.
    In between, `callback_metrics` keeps the last values, also in a resumed run, so that checkpoints, early stopping and
    a search always find their monitor. No random number is taken from the training. With several processes, one
    computes while the others wait for its values.

    The weights are those that are validated. With a `WeightEMA` these are the average, if it is the earlier callback.

    Args:
        names: of metrics in `METRICS`.
        every_n_epochs: n.
        num_images: maximum number of images.

    Raises:
        UserError: if a name is unknown, or there is no list of them.
    """

    def __init__(self, *, names: Sequence[str] = (), every_n_epochs: int = 1, num_images: int = 1000) -> None:
        if isinstance(names, str):
            raise UserError(f"callbacks.metrics.names={names}: must be a list. Use callbacks.metrics.names=[{names}].")
        self.names = [check_choice("callbacks.metrics.names", name, METRICS) for name in names]
        self.every_n_epochs = every_n_epochs
        self.num_images = num_images
        self.period = -1  # of n epochs, in which the metrics were computed last
        self.values: dict[str, float] = {}

    def check(self, model: ELBOModule, data: ImageDataModule) -> None:
        """Check before training that all metrics can be computed.

        Raises:
            UserError: if there are no validation images, or the model or the data does not suit a metric.
        """
        if not self.names:
            return
        if not len(data.splits[data.validation_split].x):
            raise UserError("callbacks.metrics.names: there are no validation images. Set data.val_size.")
        self.compute(model, data, min(self.num_images, NUM_CHECKED))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore the last values in a resumed run."""
        trainer.callback_metrics.update(
            {name: torch.tensor(value, device=pl_module.device) for name, value in self.values.items()}
        )

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compute and log the metrics if it is time."""
        assert isinstance(pl_module, ELBOModule)
        period = (trainer.current_epoch + 1) // self.every_n_epochs
        if not self.names or period == self.period or trainer.sanity_checking:
            return
        values = {}
        if trainer.is_global_zero:
            values = self.compute(pl_module, data_module_of(trainer, self), self.num_images)
        self.period, self.values = period, trainer.strategy.broadcast(values)
        pl_module.log_dict(self.values, sync_dist=True)

    def compute(self, model: ELBOModule, data: ImageDataModule, n: int) -> dict[str, float]:
        """Compute the metrics of n validation images: `val/NAME` -> value.

        Raises:
            UserError: if the model or the data does not suit a metric.
        """
        values = {}
        with isolated_eval(model):
            representation = Representation(model, probe_images(data, n))
            for name in self.names:
                try:
                    values[f"val/{name}"] = float(METRICS[name](representation))
                except UserError as error:
                    raise UserError(f"callbacks.metrics.names={name}: {error}") from None
        return values

    def state_dict(self) -> dict[str, Any]:
        """Return the last values, and when they were computed; nothing without metrics."""
        return {"period": self.period, "values": self.values} if self.values else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them, unless other metrics are computed now."""
        if state_dict["values"].keys() == {f"val/{name}" for name in self.names}:
            self.period, self.values = state_dict["period"], state_dict["values"]
