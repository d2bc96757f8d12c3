"""Making a run a function of its configuration and seed, also across interruptions."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from vae_lightning.callbacks.early_stopping import has_stopped
from vae_lightning.data import InMemoryLoader
from vae_lightning.rng import rng_state, set_rng_state
from vae_lightning.runs.format import FORMAT_VERSION, CheckpointKey
from vae_lightning.runs.recording import record_changes, save_configuration

OPTIMIZERS = ("model.optimizer.", "model.discriminator_optimizer.")  # in the order of the model's optimizers


class RunState(L.Callback):
    """Saves configuration, metrics and random state in each checkpoint, and gives evaluation its own random numbers.

    - A checkpoint contains the format version, the resolved configuration as plain containers, the identity of the
      images, and the metrics logged last. A run that is resumed after its training has ended does not log these again.
    - It contains the state of all random number generators, which a resumed run restores. Several processes draw the
      same numbers and keep their rows (`distributed.batch_sharding`), so one state serves all.
    - It contains whether early stopping ended the training, which Lightning does not save. A run resumed after that
      trains no further, unless the callback has been removed, or given a larger patience or another monitor.
    - Validation and test use generators of their own, seeded each time. So the number of validations does not affect
      training, and two validations differ by the model only.
    - The configuration is written to the run directory when training starts, once it and the checkpoint have been
      accepted. Options that a resumed run changes are appended to `.hydra/changes.jsonl`. Those of the optimizers are
      set again, since Lightning restores them from the checkpoint.

    Args:
        config: the resolved configuration, as plain containers.
        run_dir: the run directory.
        changes: options that a resumed run changes, with their old and new values.
        data_identity: of the images, see `ImageDataModule.identity`.
    """

    def __init__(
        self,
        config: dict[str, Any],
        run_dir: Path,
        changes: dict[str, tuple[Any, Any]] | None = None,
        data_identity: str | None = None,
    ) -> None:
        self.config = config
        self.run_dir = run_dir
        self.changes = changes or {}
        self.data_identity = data_identity
        self.initial_state = rng_state()  # restored when training starts, since Lightning's DDP reseeds its processes
        self.metrics: dict[str, float] = {}
        self.training_state: dict[str, Any] | None = None
        self.started = False  # whether training has started, with everything restored from a checkpoint
        self.first_step = 0  # number of optimizer steps before it

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the version, the configuration, the identity of the data, the metrics and the random state."""
        checkpoint[CheckpointKey.VERSION] = FORMAT_VERSION
        checkpoint[CheckpointKey.CONFIG] = self.config
        checkpoint[CheckpointKey.DATA] = self.data_identity
        data = trainer.datamodule  # type: ignore[attr-defined]
        checkpoint[CheckpointKey.LABEL_NAMES] = [str(name) for name in getattr(data, "label_names", [])]
        checkpoint[CheckpointKey.METRICS] = logged_metrics(trainer)
        checkpoint[CheckpointKey.RANDOM_STATE] = [rng_state()]
        checkpoint[CheckpointKey.STOPPED] = trainer.should_stop and has_stopped_early(trainer)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Restore the metrics, the end of the training, and, once training starts, the random state."""
        self.metrics = {name: float(value) for name, value in checkpoint[CheckpointKey.METRICS].items()}
        states = checkpoint["callbacks"]
        trainer.should_stop = checkpoint.get(CheckpointKey.STOPPED, False) and any(
            has_stopped(callback, states.get(callback.state_key)) for callback in trainer.early_stopping_callbacks
        )
        self.initial_state = checkpoint[CheckpointKey.RANDOM_STATE][0]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore the random state, write the configuration and apply the changes to the optimizers.

        Raises:
            UserError: if an epoch was interrupted and its other batches would have other images than before.
        """
        loader = trainer.train_dataloader
        if isinstance(loader, InMemoryLoader) and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            loader.check_resumed()
        set_rng_state(self.initial_state)
        save_configuration(self.config, self.run_dir, trains=True)
        if self.changes:
            record_changes(self.changes, trainer.current_epoch, self.run_dir)
            update_optimizers(trainer, pl_module, self.changes.keys())
        self.started, self.first_step = True, trainer.global_step

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the random state of the training, and seed."""
        self.training_state = rng_state()
        torch.manual_seed(self.config["seed"])

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore the random state of the training."""
        if self.training_state:
            set_rng_state(self.training_state)

    on_test_start = on_validation_start
    on_test_end = on_validation_end


def update_optimizers(trainer: L.Trainer, pl_module: L.LightningModule, options: Collection[str]) -> None:
    """Set hyperparameters of the optimizers to the values of the configuration.

    A new learning rate replaces the current one, whatever a scheduler has done so far.

    Args:
        trainer: whose optimizers have been restored.
        pl_module: the model.
        options: those that are changed, such as `model.optimizer.lr`; others may be among them.
    """
    configured: Any = pl_module.configure_optimizers()
    if isinstance(configured, tuple):  # with schedulers
        configured, _ = configured
    optimizers = configured if isinstance(configured, list) else [configured]
    for prefix, optimizer, new in zip(OPTIMIZERS, trainer.optimizers, optimizers, strict=False):
        names = {option.removeprefix(prefix) for option in options if option.startswith(prefix)}
        for group, new_group in zip(optimizer.param_groups, new.param_groups, strict=True):
            group.update({name: new_group[name] for name in names & new_group.keys()})


def has_stopped_early(trainer: L.Trainer) -> bool:
    """Return whether early stopping has ended the training, now or before the run was resumed."""
    callbacks = trainer.early_stopping_callbacks
    return any(callback.stopping_reason is not EarlyStoppingReason.NOT_STOPPED for callback in callbacks)


def logged_metrics(trainer: L.Trainer) -> dict[str, float]:
    """Return the metrics logged so far under `train/`, `val/` and `test/`."""
    return {name: value.item() for name, value in trainer.callback_metrics.items() if "/" in name}
