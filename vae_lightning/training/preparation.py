"""Building everything that a run needs, and checking that it fits together, before anything is written."""

from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from omegaconf import DictConfig, OmegaConf

from vae_lightning.callbacks import GracefulShutdown, RunState, TerminateOnNaN
from vae_lightning.checkpointing.checkpoint_io import AtomicCheckpointIO
from vae_lightning.checkpointing.loading import load_model
from vae_lightning.checkpointing.resume import Resumption, find_resumption
from vae_lightning.config.comparison import OF_THE_DATA
from vae_lightning.config.instantiation import build, build_component, build_components
from vae_lightning.data import ImageDataModule
from vae_lightning.loggers import build_loggers, read_logger_ids
from vae_lightning.models import ELBOModule, LatentPrior
from vae_lightning.runs.layout import CHECKPOINTS
from vae_lightning.training.performance import compile_networks
from vae_lightning.training.preflight import (
    check_cpu_process_count,
    check_inherited,
    check_labels,
    check_model,
)


class PreparedRun(NamedTuple):
    """A run that is ready to start.

    Attributes:
        config: the resolved configuration.
        resumption: the checkpoint that the run resumes from, or None for a new run.
        logger_ids: name of a logger -> the identifier under which it continues; empty for a new run.
        data: after its setup.
        model: with initial weights, even if the run resumes.
        trainer: with all callbacks and loggers.
        state: the callback of the trainer that writes the files of the run.
    """

    config: dict[str, Any]
    resumption: Resumption | None
    logger_ids: dict[str, str]
    data: ImageDataModule
    model: ELBOModule
    trainer: L.Trainer
    state: RunState

    @property
    def run_dir(self) -> Path:
        """The directory of the run."""
        return Path(self.config["run_dir"])


def prepare_run(cfg: DictConfig, shutdown: GracefulShutdown) -> PreparedRun:
    """Build data, model and trainer as configured. Nothing is written.

    Raises:
        UserError: if the configuration, the data or the checkpoint to resume cannot be used.
    """
    config = resolved(cfg)
    resumption = find_resumption(config)
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    if cfg.prior_of:
        check_inherited(config)
    data: ImageDataModule = build_component(cfg, "data", ImageDataModule)
    data.prepare_data()
    data.setup()
    check_labels(config["model"], data)
    for name in OF_THE_DATA:
        if config["data"].get(name) is None:
            cfg.data[name] = getattr(data, name)
    config = resolved(cfg)
    model: ELBOModule = build_component(cfg, "model", ELBOModule)
    if isinstance(model, LatentPrior) and not resumption:
        model.autoencoder.load_state_dict(load_model(cfg.prior_of, trust=cfg.trust).state_dict())
    if cfg.compile:
        compile_networks(model, cfg.compile)
    callbacks = enabled_callbacks(build_components(cfg, "callbacks", L.Callback), config["trainer"])
    check_model(model, cfg.monitor, data, callbacks)
    run_dir = Path(cfg.run_dir)
    logger_ids = read_logger_ids(run_dir) if resumption else {}
    state = RunState(config, run_dir, resumption.changes if resumption else {})
    trainer: L.Trainer = build_component(
        cfg,
        "trainer",
        L.Trainer,
        callbacks=[state, TerminateOnNaN(run_dir / CHECKPOINTS), *callbacks, shutdown],
        logger=build_loggers(cfg, logger_ids),
        plugins=[AtomicCheckpointIO(), *(build(cfg.trainer.get("plugins")) or [])],
        enable_checkpointing=True,  # Lightning counts the callback that handles signals as a checkpoint
    )
    check_cpu_process_count(trainer)
    return PreparedRun(config, resumption, logger_ids, data, model, trainer, state)


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """Return a configuration as plain containers without interpolations."""
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    return config


def enabled_callbacks(callbacks: list[L.Callback], trainer: dict[str, Any]) -> list[L.Callback]:
    """Return the callbacks without those that an option of the trainer disables; Lightning would raise an error."""
    disabled: list[type[L.Callback]] = []
    if trainer.get("enable_progress_bar") is False:
        disabled.append(LightningProgressBar)
    if trainer.get("enable_checkpointing") is False:
        disabled.append(ModelCheckpoint)
    return [callback for callback in callbacks if not isinstance(callback, tuple(disabled))]
