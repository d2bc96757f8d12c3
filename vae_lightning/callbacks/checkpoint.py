"""Saving checkpoints that a run can resume from."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from vae_lightning.runs.metrics import monitor_mode


class Checkpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, for runs that resume from any checkpoint and whose directory may be moved.

    - After the last batch of an epoch it waits for the end of the epoch. Lightning would treat a checkpoint written in
      between as that of a finished epoch, and skip the validation when resuming. With `every_n_train_steps` it also
      saves at the end of each epoch, so the last checkpoint of a finished run is its end.
    - If a limit ends the training within an epoch, the most recent checkpoint is that of the last batch. So a run with
      a higher limit continues with the next one.
    - The paths in its state are updated when the directory has been moved.
    - The mode follows from the monitor. A metric under `train/` is monitored after each epoch.

    Args:
        monitor: the metric to select a checkpoint by; None to save the most recent one.
        mode: `min` or `max`; None for `max` if a higher value of the monitor is better, and else `min`.
        **options: arguments of Lightning's `ModelCheckpoint`.
    """

    def __init__(self, *, monitor: str | None = None, mode: str | None = None, **options: Any) -> None:
        if monitor and monitor.startswith("train/"):
            options.setdefault("save_on_train_epoch_end", True)
        super().__init__(monitor=monitor, mode=mode or monitor_mode(monitor), **options)

    @property
    def state_key(self) -> str:
        """Key of the callback's state in a checkpoint: Lightning's, but independent of the name of the class."""
        options = {
            "monitor": self.monitor,
            "mode": self.mode,
            "every_n_train_steps": self._every_n_train_steps,
            "every_n_epochs": self._every_n_epochs,
            "train_time_interval": self._train_time_interval,
        }
        return f"Checkpoint{options!r}"

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Save if it is time or the training ends, but not after the last batch of an epoch."""
        loop = trainer.fit_loop.epoch_loop
        if loop.batch_progress.is_last_batch:
            return
        super().on_train_batch_end(trainer, *args)
        is_stopped = trainer.should_stop and trainer.fit_loop._can_stop_early
        if self.monitor is None and (loop._is_training_done or is_stopped):
            self.save_now(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save if it is time, which it always is with `every_n_train_steps`."""
        if self._every_n_train_steps:
            self.save_now(trainer)
        super().on_train_epoch_end(trainer, pl_module)

    def save_now(self, trainer: L.Trainer) -> None:
        """Save now, unless this step has been saved already."""
        if self._last_global_step_saved != trainer.global_step:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a directory that may have been moved."""
        super().load_state_dict(relocate_paths(state_dict, state_dict["dirpath"], str(self.dirpath)))


def relocate_paths(value: Any, old: str, new: str) -> Any:
    """Replace a directory by another in every path of a nested state."""
    if isinstance(value, dict):
        return {relocate_paths(name, old, new): relocate_paths(item, old, new) for name, item in value.items()}
    return value.replace(old, new) if isinstance(value, str) else value
