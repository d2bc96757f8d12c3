"""The checkpoints of a run."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint


class Checkpoint(ModelCheckpoint):
    """Lightning's, for runs that are resumed from any of them and whose folder may be moved.

    - After the last batch of an epoch it waits for the epoch's end: Lightning takes a checkpoint written in between for
      that of a finished epoch, and a run resumed from it would skip the validation. With `every_n_train_steps` it saves
      at each epoch's end as well, so that the last checkpoint of a finished run is its end.
    - The paths in its state follow the folder.
    """

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Save when it is time, but not after the last batch."""
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            super().on_train_batch_end(trainer, *args)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save when it is time, which with `every_n_train_steps` it always is."""
        if self._every_n_train_steps:
            self.save_now(trainer)
        super().on_train_epoch_end(trainer, pl_module)

    def save_now(self, trainer: L.Trainer) -> None:
        """Save, unless this step has been saved."""
        if self._last_global_step_saved != trainer.global_step:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of a folder that may have been elsewhere."""
        super().load_state_dict(relocate_paths(state_dict, state_dict["dirpath"], str(self.dirpath)))


def relocate_paths(value: Any, old: str, new: str) -> Any:
    """A nested state with one folder put for another in every path."""
    if isinstance(value, dict):
        return {relocate_paths(name, old, new): relocate_paths(item, old, new) for name, item in value.items()}
    return value.replace(old, new) if isinstance(value, str) else value
