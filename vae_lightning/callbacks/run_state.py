"""What makes a run a function of its configuration and seed, also across an interruption."""

from pathlib import Path
from typing import Any

import lightning as L
import torch

from vae_lightning.rng import rng_state, set_rng_state
from vae_lightning.runs.recording import save_configuration


class RunState(L.Callback):
    """Keep the configuration and the random generators in each checkpoint, and evaluation out of the training's stream.

    - A checkpoint holds the resolved configuration, as plain containers, under `config`.
    - It holds the metrics logged last, under `metrics`: those of the last epoch, though the process end before they are
      written, since a finished training that is resumed logs none anew.
    - It holds the state of all random generators; a resumed run goes on with them. Several processes draw the same
      numbers and take their share of them (`distributions.Share`): one state is that of all.
    - It holds whether the epoch was the last by an early stopping, which Lightning would forget: a run that is resumed
      after its end trains no further, unless without that callback.
    - Validation and test draw from generators of their own, seeded anew each time: how often one validates changes
      nothing in training, and two validations differ by the model alone.
    - The configuration goes to the run's folder when the training starts: all that could be wrong with it, or with a
      checkpoint, has been told by then.

    Args:
        config: the resolved configuration, as plain containers.
        run_dir: the run's folder.
    """

    def __init__(self, config: dict[str, Any], run_dir: Path) -> None:
        self.config = config
        self.run_dir = run_dir
        self.generators = rng_state()  # those to start with: Lightning's DDP seeds anew where one process goes on
        self.metrics: dict[str, float] = {}
        self.set_aside: dict[str, Any] | None = None
        self.started = False  # the training: all that a checkpoint restores has been restored

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the configuration, the metrics and the generators."""
        checkpoint["config"] = self.config
        checkpoint["metrics"] = {n: value.item() for n, value in trainer.callback_metrics.items() if "/" in n}
        checkpoint["random_state"] = [rng_state()]
        checkpoint["stopped"] = trainer.should_stop and trainer.fit_loop.epoch_loop.batch_progress.is_last_batch

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember the generators until training starts, and the metrics; take up the end of the training."""
        self.metrics = {name: float(value) for name, value in checkpoint["metrics"].items()}
        trainer.should_stop = checkpoint.get("stopped", False) and trainer.early_stopping_callback is not None
        self.generators = checkpoint["random_state"][0]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go on with the generators."""
        set_rng_state(self.generators)
        save_configuration(self.config, self.run_dir)
        self.started = True

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the training's generators aside."""
        self.set_aside = rng_state()
        torch.manual_seed(self.config["seed"])

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take them up again."""
        if self.set_aside:
            set_rng_state(self.set_aside)

    on_test_start = on_validation_start
    on_test_end = on_validation_end
