"""The checkpoint to resume from."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint


class LastCheckpoint(ModelCheckpoint):
    """The state after the last epoch, or, with `every_n_train_steps`, after the last so many steps.

    After the last batch of an epoch it waits for the epoch's end: Lightning takes a checkpoint written in between for
    that of a finished epoch, and a run resumed from it would skip the validation.
    """

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Save when it is time, but not after the last batch."""
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            super().on_train_batch_end(trainer, *args)
