"""Building everything that a run needs, and checking that it fits together, before anything is written."""

from contextlib import suppress
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
from vae_lightning.errors import UserError
from vae_lightning.loggers import build_loggers, read_logger_ids
from vae_lightning.models import ELBOModule, LatentPrior
from vae_lightning.runs.layout import CHECKPOINTS
from vae_lightning.training.performance import compile_networks
from vae_lightning.training.preflight import (
    check_cpu_process_count,
    check_inherited,
    check_labels,
    check_model,
    check_same_images,
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
    if cfg.prior_of or cfg.init_from:
        check_inherited(config)
    data: ImageDataModule = build_component(cfg, "data", ImageDataModule)
    if resumption:
        check_same_images(config, data, resumption)
    data.prepare_data()
    data.setup()
    check_labels(config["model"], data)
    for name in OF_THE_DATA:
        if config["data"].get(name) is None:
            cfg.data[name] = getattr(data, name)
    config = resolved(cfg)
    model: ELBOModule = build_component(cfg, "model", ELBOModule)
    if resumption:
        with suppress(RuntimeError):  # Lightning reports weights that do not fit
            model.load_state_dict(resumption.weights)
        resumption = resumption._replace(weights={})  # which would take memory during the training
    else:
        load_initial_weights(model, cfg)
    model.is_pretrained = bool(cfg.init_from)
    callbacks = enabled_callbacks(build_components(cfg, "callbacks", L.Callback), config["trainer"])
    check_model(model, cfg.monitor, data, callbacks)
    if cfg.compile:  # after the model has seen a batch on the CPU, which would be compiled as well
        compile_networks(model, cfg.compile)
    run_dir = Path(cfg.run_dir)
    logger_ids = read_logger_ids(run_dir) if resumption else {}
    state = RunState(config, run_dir, resumption.changes if resumption else {}, data.identity)
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


def load_initial_weights(model: ELBOModule, cfg: DictConfig) -> None:
    """Load the weights of the run in `prior_of` into the autoencoder, or those of `init_from` into the model.

    Raises:
        UserError: if there is no such run, or its weights do not fit.
    """
    if isinstance(model, LatentPrior) and cfg.prior_of:
        model.autoencoder.load_state_dict(load_model(cfg.prior_of, trust=cfg.trust).state_dict())
    elif cfg.init_from:
        own, given = model.state_dict(), load_model(cfg.init_from, trust=cfg.trust).state_dict()
        shapes = {
            name: [tuple(s[name].shape) if name in s else None for s in (own, given)] for name in {**own, **given}
        }
        if different := [name for name, (here, there) in shapes.items() if here != there]:
            here, there = shapes[different[0]]
            raise UserError(
                f"init_from={cfg.init_from}: its weights do not fit this model, first {different[0]}, {there} there and"
                f" {here} here. Use the same options of the model, and images of the same shape."
            )
        model.load_state_dict(given)


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
