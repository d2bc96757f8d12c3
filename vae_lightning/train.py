"""One run: data -> model -> trainer -> fit -> test -> what it leaves in its folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from hydra.errors import HydraException
from hydra.utils import instantiate
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_lightning import console, record
from vae_lightning.callbacks import Finite, Interrupted, Interruption, RunState
from vae_lightning.callbacks.checkpoints import refuse_at_once
from vae_lightning.checkpoint_files import CheckpointFiles
from vae_lightning.checkpoints import checkpoint_to_resume
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError, one_line
from vae_lightning.loggers import TensorBoard
from vae_lightning.machine import compile_networks, keep_memory, trust_cuda
from vae_lightning.models import ELBOModule
from vae_lightning.runs import CHECKPOINTS, saved_metrics

FEW_PROCESSES = 8  # any machine takes as many, whatever its cores
build = partial(instantiate, _convert_="all")  # lists and dictionaries rather than OmegaConf's


def train(cfg: DictConfig) -> dict[str, float]:
    """Train and test what the configuration says; return the metrics that `metrics.json` holds.

    The test uses the best checkpoint; metrics of `train/` and `val/` are those of the last epoch.

    Raises:
        UserError: when the configuration, the data or the checkpoint to resume cannot be used. Nothing has been written
            by then. Also when the numbers go wrong (`callbacks.Finite`), or a checkpoint cannot be written.
        SystemExit: after Ctrl-C or SIGTERM, with a checkpoint written; the code is 130 or 143.
    """
    keep_memory()
    trust_cuda()
    with Interruption() as interruption:
        try:
            return run(cfg, interruption)
        except Interrupted as interrupted:
            console.tell_interruption(Path(cfg.run_dir))
            raise SystemExit(interrupted.exit_code) from None


def run(cfg: DictConfig, interruption: Interruption) -> dict[str, float]:
    """What `train` does, unless it is interrupted."""
    console.quieten_lightning()
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    run_dir = Path(cfg.run_dir)
    with told_in_one_line():
        checkpoint = checkpoint_to_resume(config)
        L.seed_everything(cfg.seed, workers=True, verbose=False)
        data: ImageDataModule = part(cfg, "data", ImageDataModule)
        data.prepare_data()
        data.setup()
        if config["model"]["conditional"] and data.splits["train"].y is None:
            raise UserError("model.conditional=true needs labels, and none were found: type model.conditional=false")
        model: ELBOModule = part(cfg, "model", ELBOModule)
        if cfg.compile:
            compile_networks(model, cfg.compile)
        refuse_at_once(model, cfg.monitor, data)
        state = RunState(config, run_dir)
        trainer: L.Trainer = part(
            cfg,
            "trainer",
            L.Trainer,
            callbacks=[state, Finite(run_dir / CHECKPOINTS), *parts(cfg, "callbacks", L.Callback), interruption],
            logger=parts(cfg, "logger", Logger),
            plugins=[CheckpointFiles(), *(build(cfg.trainer.get("plugins")) or [])],
        )
        refuse_crowd(trainer)

    console.announce(cfg.name, data, model, trainer, run_dir)
    try:
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except Exception as error:
        if isinstance(error, UserError | Interrupted) or (state.started and checkpoint is None):
            raise
        reason = f"{type(error).__name__}: {one_line(error)}"
        if checkpoint is None:
            raise UserError(f"the training cannot begin ({reason}); debug=true shows where it comes from") from error
        raise UserError(
            f"{checkpoint}: cannot be resumed ({reason}); start a new run, or see by debug=true where it fails"
        ) from error
    if not state.started:  # it had been trained to its end before
        record.save_configuration(config, run_dir)
    metrics = saved_metrics(run_dir) | state.metrics if checkpoint else {}
    metrics |= as_numbers(trainer)
    record.save_metrics(metrics, run_dir)

    trainer.test(model, datamodule=data, ckpt_path=best_checkpoint(run_dir), weights_only=True, verbose=False)
    metrics |= as_numbers(trainer)
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoard):
            test = {name: value for name, value in metrics.items() if name.startswith("test/")}
            logger.log_result(record.hyperparameters(config), test)
    record.save_metrics(metrics, run_dir)  # last: the mark of a finished run
    console.sum_up(metrics, run_dir, trainer)
    return metrics


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Raise what is raised before a run begins as UserError: it is owed to what was typed or to the files."""
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException, Interrupted):
        raise
    except Exception as error:  # what a value may lead to is listed nowhere
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"{reason}; nothing was written, debug=true shows where it comes from") from error


def part(cfg: Any, name: str, kind: type, **more: Any) -> Any:
    """Build one part of the configuration.

    Raises:
        UserError: when it is of another kind.
    """
    built = build(cfg[name], **more)
    if not isinstance(built, kind):
        raise UserError(f"{name}: {type(built).__name__} is no {kind.__name__}; type another {name}._target_")
    return built


def parts(cfg: DictConfig, group: str, kind: type) -> list[Any]:
    """Build all parts of a group but for those that are null."""
    chosen = cfg.get(group) or {}
    return [part(chosen, name, kind) for name in chosen if chosen[name] is not None]


def refuse_crowd(trainer: L.Trainer) -> None:
    """Raise UserError when so many processes are asked for on a CPU that the machine would stand still."""
    most = max(FEW_PROCESSES, os.cpu_count() or 1)
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > most:
        raise UserError(f"trainer.devices={trainer.num_devices}: each is a process on this CPU; type at most {most}")


def as_numbers(trainer: L.Trainer) -> dict[str, float]:
    """The metrics logged so far under `train/`, `val/` and `test/`."""
    return {name: value.item() for name, value in trainer.callback_metrics.items() if "/" in name}


def best_checkpoint(run_dir: Path) -> Path | None:
    """The path of the best checkpoint, or None, the weights as they are, where none was kept."""
    path = run_dir / CHECKPOINTS / "best.ckpt"
    return path if path.is_file() else None
