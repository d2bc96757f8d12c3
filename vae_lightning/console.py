"""What a run says on the console, besides its progress bar."""

import logging
import shlex
import warnings
from pathlib import Path

import lightning as L
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.table import Table

from vae_lightning.data import ImageDataModule
from vae_lightning.models import ELBOModule
from vae_lightning.runs import CHECKPOINTS

CONSOLE = Console(highlight=False, markup=False, soft_wrap=True)


def quieten_lightning() -> None:
    """Leave out Lightning's notes on the machine, and its advice where it does not apply here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        "`isinstance.treespec, LeafSpec.` is deprecated",  # Lightning's own use of torch
        "Checkpoint directory .* exists and is not empty",  # so it does when a run is resumed
        "The number of training batches .* is smaller than the logging interval",  # the progress bar's alone
        "Using ModelCheckpoint with manual optimization",  # it saves the state after the step, as it should
        "Total length of `list` across ranks is zero",  # no validation set, by choice
        r"It is recommended to use `self.log\('step'",  # it is the same in all processes
        "The `srun` command is available on your system",  # on a cluster: also where one tries something by hand
    ):
        warnings.filterwarnings("ignore", message=message)


@rank_zero_only
def announce(name: str, data: ImageDataModule, model: ELBOModule, trainer: L.Trainer, run_dir: Path) -> None:
    """One line before the training: what is trained, on what, where it goes."""
    images = ", ".join(f"{len(split.x):,} {name}" for name, split in data.splits.items())
    parameters = sum(p.numel() for p in model.parameters())
    device = trainer.strategy.root_device.type
    CONSOLE.print(f"{name}: {images} images, {parameters:,} parameters, {device} -> {shown(run_dir)}")


@rank_zero_only
def sum_up(metrics: dict[str, float], run_dir: Path, trainer: L.Trainer) -> None:
    """The test's metrics, and what to type next."""
    table = Table("test of best.ckpt", "nats per image")
    for name in ("distortion", "rate", "nelbo"):
        if f"test/{name}" in metrics:
            table.add_row(name, f"{metrics[f'test/{name}']:.2f}")
    CONSOLE.print(table)
    CONSOLE.print(f"figures    {shown(run_dir / 'figures')}")
    CONSOLE.print(f"curves     tensorboard --logdir {shown(run_dir.parent)}")
    CONSOLE.print(
        f"more       python train.py resume={shown(run_dir)} trainer.max_epochs={2 * (trainer.max_epochs or 1)}"
    )


@rank_zero_only
def tell_interruption(run_dir: Path) -> None:
    """What to type after Ctrl-C or SIGTERM."""
    if (run_dir / CHECKPOINTS / "last.ckpt").is_file():
        CONSOLE.print(f"interrupted; go on: python train.py resume={shown(run_dir)}")
    else:
        CONSOLE.print("interrupted before the first checkpoint: there is nothing to go on with")


def shown(path: Path) -> str:
    """The path as a person would type it here."""
    path = path.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
