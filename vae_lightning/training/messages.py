"""Console output of a run, except the progress bar."""

import logging
import warnings
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint, Timer
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from lightning.pytorch.utilities import rank_zero_only
from rich.table import Table
from torch.optim.lr_scheduler import CosineAnnealingLR

from vae_lightning.callbacks import RunState
from vae_lightning.callbacks.run_state import has_stopped_early
from vae_lightning.checkpointing.resume import Resumption
from vae_lightning.config.replay import resume_command
from vae_lightning.data import ImageDataModule
from vae_lightning.io.console import CONSOLE
from vae_lightning.io.shell import display_path
from vae_lightning.loggers import where_to_look
from vae_lightning.models import ELBOModule, LatentPrior
from vae_lightning.runs.layout import BEST, CHECKPOINTS, has_resumable_checkpoint


def quiet_lightning() -> None:
    """Suppress Lightning's messages about the machine, and its warnings that do not apply here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # warns of each new experiment
    for message in (
        "`isinstance.treespec, LeafSpec.` is deprecated",  # Lightning's own use of torch
        "Checkpoint directory .* exists and is not empty",  # always so when a run is resumed
        "Be aware that when using `ckpt_path`, callbacks used",  # the user has left one out
        "`ModelCheckpoint.monitor=.* could not find the monitored key",  # a run that ends before its first validation
        "The number of training batches .* is smaller than the logging interval",  # only matters for per-step logging
        "Using ModelCheckpoint with manual optimization",  # it saves the state after the step, as it should
        r"Found \d+ module\(s\) in eval mode at the start of training",  # the autoencoder of a `LatentPrior`
        "Total length of `list` across ranks is zero",  # the user chose to have no validation set
        r"It is recommended to use `self.log\('step'",  # the value is the same in all processes
        "The `srun` command is available on your system",  # on a cluster, also when trying something by hand
    ):
        warnings.filterwarnings("ignore", message=message)


@rank_zero_only
def print_run_header(name: str, data: ImageDataModule, model: ELBOModule, trainer: L.Trainer, run_dir: Path) -> None:
    """Print one line before training: the run, the data, the model's size, the device and the run directory."""
    images = ", ".join(f"{len(split.x):,} {split_name}" for split_name, split in data.splits.items())
    parameters = sum(p.numel() for p in model.parameters())
    device = trainer.strategy.root_device.type
    CONSOLE.print(f"{name}: {images} images, {parameters:,} parameters, {device} -> {display_path(run_dir)}")


@rank_zero_only
def print_early_stop(trainer: L.Trainer) -> None:
    """Print why early stopping has ended the training, if it has."""
    for callback in trainer.early_stopping_callbacks:
        if callback.stopping_reason is EarlyStoppingReason.PATIENCE_EXHAUSTED:
            n, unit = callback.wait_count, "epoch" if callback.monitor.startswith("train/") else "validation"
            CONSOLE.print(f"Stopped early: no better {callback.monitor} in {n} {unit}{'s' * (n != 1)}.")


@rank_zero_only
def print_summary(metrics: dict[str, float], run_dir: Path, trainer: L.Trainer, further: str) -> None:
    """Print the test metrics, and where to look next, as far as it exists.

    Args:
        metrics: of the run.
        run_dir: the run directory.
        trainer: after training.
        further: override with which the run is trained further.
    """
    tested = BEST if (run_dir / CHECKPOINTS / BEST).is_file() else "the final weights"
    table = Table(f"test of {tested}", "nats per image")
    for name in ("distortion", "rate", "nelbo"):
        if f"test/{name}" in metrics:
            value = metrics[f"test/{name}"]
            table.add_row(name, f"{value:.2f}" if abs(value) < 1e6 else f"{value:.1e}")
    CONSOLE.print(table)
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_score is not None:
            extreme = "highest" if callback.mode == "max" else "lowest"
            CONSOLE.print(f"best       {extreme} {callback.monitor}: {callback.best_model_score:.4g}")
    if (run_dir / "figures").is_dir():
        CONSOLE.print(f"figures    {display_path(run_dir / 'figures')}")
    for place in filter(None, (where_to_look(logger, run_dir) for logger in trainer.loggers)):
        CONSOLE.print(f"curves     {place}")
    if isinstance(trainer.lightning_module, LatentPrior):  # whose purpose no number above shows
        CONSOLE.print(f"samples    vae-lightning evaluate {display_path(run_dir)} --only samples")
    ends = any(isinstance(config.scheduler, CosineAnnealingLR) for config in trainer.lr_scheduler_configs)
    if has_resumable_checkpoint(run_dir) and not ends:  # a learning rate along a cosine has come to its end
        CONSOLE.print(f"continue   {resume_command(run_dir)} {further}")


def extension(trainer: L.Trainer) -> str:
    """Return the overrides that train further: no early stopping if it has ended the training, and twice the limit."""
    overrides = []
    if has_stopped_early(trainer):
        state = next(callback for callback in trainer.callbacks if isinstance(callback, RunState))  # type: ignore[attr-defined]
        names = [name for name, options in state.config["callbacks"].items() if "EarlyStopping" in str(options)]
        overrides = [f"~callbacks.{name}" for name in names]
    timer = next((callback for callback in trainer.callbacks if isinstance(callback, Timer)), None)  # type: ignore[attr-defined]
    max_epochs = trainer.max_epochs or 1
    if timer and (timer.time_remaining() or 0) <= 0:
        assert timer._duration is not None
        overrides.append(f"trainer.max_time={{seconds: {max(1, round(2 * timer._duration))}}}")
    elif 0 < trainer.max_steps <= trainer.global_step:
        overrides.append(f"trainer.max_steps={2 * trainer.max_steps}")
    elif not overrides or trainer.fit_loop.epoch_progress.current.completed >= max_epochs:
        overrides.append(f"trainer.max_epochs={2 * max_epochs}")
    return " ".join(overrides)


@rank_zero_only
def print_resumption(resumption: Resumption) -> None:
    """Print where a run resumes, and with which changes."""
    changes = resumption.changes
    removed = [
        key.removesuffix("._target_") for key, (_, new) in changes.items() if key.endswith("_target_") and not new
    ]
    inside = tuple(f"{name}." for name in removed)
    changed = [f"{key}={new} (was {old})" for key, (old, new) in changes.items() if not key.startswith(inside)]
    parts = ["with " + ", ".join(changed)] * bool(changed) + ["without " + ", ".join(removed)] * bool(removed)
    CONSOLE.print(" ".join([f"resuming from epoch {resumption.epoch}", *parts]))


@rank_zero_only
def print_nothing_to_train(trainer: L.Trainer) -> None:
    """Print that a run has already been trained to its end, and how to train it further."""
    CONSOLE.print(f"already trained to its end. To train further, add {extension(trainer)}")


@rank_zero_only
def print_resume_hint(run_dir: Path) -> None:
    """Print how to resume after Ctrl-C or SIGTERM."""
    if has_resumable_checkpoint(run_dir):
        CONSOLE.print(f"interrupted. Resume with {resume_command(run_dir)}")
    else:
        CONSOLE.print("interrupted before the first checkpoint; there is nothing to resume.")
