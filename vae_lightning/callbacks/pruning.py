"""Stopping unpromising runs of a search."""

from typing import TYPE_CHECKING, Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint as CheckpointBase

from vae_lightning.errors import TrialPruned, UserError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class Pruning(CheckpointBase):
    """Reports the objective after each epoch, and raises `TrialPruned` if Optuna's pruner decides to stop the trial.

    With several processes it never stops, since one process must not stop alone. It is a checkpoint callback only to be
    called once all metrics of the epoch have been logged.

    Args:
        folder: directory of the search, with its study.
        overrides: of this run, which identify its trial.
        objective: a logged metric.
        pruner: decides from the study; None never prunes.
    """

    def __init__(self, folder: str, overrides: list[str], objective: str, pruner: "BasePruner | None") -> None:
        self.folder, self.overrides, self.objective, self.pruner = folder, overrides, objective, pruner
        self.trial: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find the trial."""
        from vae_lightning.sweeps.optuna_study import find_trial, open_study

        if trainer.world_size == 1:
            self.trial = find_trial(open_study(self.folder, pruner=self.pruner), self.overrides)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report once per epoch, also if a resumed run repeats one."""
        if self.objective not in trainer.callback_metrics:
            logged = ", ".join(name for name in trainer.callback_metrics if name.startswith("val/"))
            raise UserError(f"hydra.sweeper.objective={self.objective}: not logged. Use one of {logged}.")
        if self.trial is None:
            return
        epoch, value = trainer.current_epoch, trainer.callback_metrics[self.objective].item()
        if epoch not in self.trial.study.trials[self.trial.number].intermediate_values:
            self.trial.report(value, epoch)
        if self.pruner and self.trial.should_prune():
            raise TrialPruned(f"after {epoch + 1} epochs, with {self.objective} {value:.2f}")
