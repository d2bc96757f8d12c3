"""The checkpoints of a run."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from vae_lightning.callbacks.subject import to_device, undisturbed, watched_images
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule


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
        super().load_state_dict(moved(state_dict, state_dict["dirpath"], str(self.dirpath)))


def refuse_at_once(model: ELBOModule, monitor: str, data: ImageDataModule) -> None:
    """Try the model on two images, and build its optimisers, before anything is written.

    Raises:
        UserError: when a term is infinite or no number, or the monitor is none of those that the model logs; what an
            adversary logs of the training only the training knows.
    """
    model.regularizer.dataset_size = len(data.splits["train"].x)
    with undisturbed(model):
        terms = model.objective(model(*to_device(watched_images(data, 2), model.device)))
    if bad := [name for name, value in terms.items() if not value.isfinite()]:
        raise UserError(
            f"model: {' and '.join(bad)} of the first images is infinite or no number before any training; type smaller"
            " weights of the model, or a likelihood with more noise"
        )
    derived = ["nelbo", "recon_kl_ratio", *["bits_per_dim"] * model.likelihood.eight_bit] if "rate" in terms else []
    names = [*terms, *derived, *model.regularizer.schedule(model.warmup)]
    stage, _, name = monitor.partition("/")
    if name not in names and (stage == "val" or model.automatic_optimization):
        raise UserError(f"monitor={monitor}: is not logged; type {stage}/ and one of {', '.join(names)}")
    model.configure_optimizers()


def moved(value: Any, old: str, new: str) -> Any:
    """A nested state with one folder put for another in every path."""
    if isinstance(value, dict):
        return {moved(name, old, new): moved(item, old, new) for name, item in value.items()}
    return value.replace(old, new) if isinstance(value, str) else value
