"""One training run: data -> model -> trainer -> fit -> test -> files in the run directory."""

from pathlib import Path
from typing import Any

import lightning as L
from hydra.errors import HydraException
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_lightning.callbacks import GracefulShutdown, RunState, TerminateOnNaN
from vae_lightning.callbacks.run_state import logged_metrics
from vae_lightning.checkpointing.checkpoint_io import AtomicCheckpointIO
from vae_lightning.checkpointing.loading import load_model
from vae_lightning.checkpointing.resume import find_resumption
from vae_lightning.config.hyperparameters import hyperparameters
from vae_lightning.config.instantiation import build, build_component, build_components
from vae_lightning.config.overrides import overridden_options
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import Interrupted, UserError, as_user_error, one_line
from vae_lightning.loggers import (
    TensorBoard,
    begin_logging,
    build_loggers,
    closing,
    read_logger_ids,
)
from vae_lightning.models import ELBOModule, LatentPrior
from vae_lightning.runs.artifacts import read_metrics
from vae_lightning.runs.layout import BEST, CHECKPOINTS
from vae_lightning.runs.recording import save_configuration, save_metrics
from vae_lightning.training.messages import (
    print_nothing_to_train,
    print_resume_hint,
    print_resumption,
    print_run_header,
    print_summary,
    quiet_lightning,
)
from vae_lightning.training.performance import compile_networks, disable_nvml_check, tune_malloc
from vae_lightning.training.preflight import (
    check_cpu_process_count,
    check_inherited,
    check_labels,
    check_model,
)

EXPLAINED = (UserError, HydraException, OmegaConfBaseException, Interrupted)  # errors that need no more words


def train(cfg: DictConfig) -> dict[str, float]:
    """Train and test a model as configured; return the metrics that are written to `metrics.json`.

    The test uses the best checkpoint. The metrics under `train/` and `val/` are those of the last epoch.

    Raises:
        UserError: if the configuration, the data or the checkpoint to resume cannot be used, in which case nothing has
            been written; or if a term becomes NaN (`callbacks.TerminateOnNaN`), or a checkpoint cannot be written.
        SystemExit: after Ctrl-C or SIGTERM, with exit code 130 or 143, once a checkpoint has been written.
    """
    tune_malloc()
    disable_nvml_check()
    with GracefulShutdown() as shutdown:
        try:
            return run_training(cfg, shutdown)
        except Interrupted as interrupted:
            print_resume_hint(Path(cfg.run_dir))
            raise SystemExit(interrupted.exit_code) from None


def run_training(cfg: DictConfig, shutdown: GracefulShutdown) -> dict[str, float]:
    """Do what `train` does, but raise `Interrupted` after a signal."""
    quiet_lightning()
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    run_dir = Path(cfg.run_dir)
    with as_user_error("{kind}: {error}. Nothing was written. debug=true shows where it comes from.", EXPLAINED):
        resumption = find_resumption(config)
        L.seed_everything(cfg.seed, workers=True, verbose=False)
        if cfg.prior_of:
            check_inherited(config)
        data: ImageDataModule = build_component(cfg, "data", ImageDataModule)
        data.prepare_data()
        data.setup()
        check_labels(config["model"], data)
        if config["data"].get("num_classes") is None:  # it is counted in the data
            cfg.data.num_classes = data.num_classes
            config = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        model: ELBOModule = build_component(cfg, "model", ELBOModule)
        if isinstance(model, LatentPrior) and not resumption:
            model.autoencoder.load_state_dict(load_model(cfg.prior_of, trust=tuple(cfg.trust)).state_dict())
        if cfg.compile:
            compile_networks(model, cfg.compile)
        check_model(model, cfg.monitor, data)
        logger_ids = read_logger_ids(run_dir) if resumption else {}
        state = RunState(config, run_dir, resumption.changes if resumption else {})
        callbacks = enabled_callbacks(build_components(cfg, "callbacks", L.Callback), config["trainer"])
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

    overridden = overridden_options()
    shown = hyperparameters(config, overridden)
    with closing(trainer.loggers):
        print_run_header(cfg.name, data, model, trainer, run_dir)
        if resumption:
            print_resumption(resumption)
        begin_logging(trainer.loggers, shown, run_dir, logger_ids)
        fit(trainer, model, data, resumption.path if resumption else None, state)
        if not state.started:  # the run had already been trained to its end
            save_configuration(config, run_dir)
            print_nothing_to_train(trainer)
        metrics = read_metrics(run_dir) | state.metrics if resumption else {}
        metrics |= logged_metrics(trainer)
        save_metrics(metrics, run_dir)

        best = run_dir / CHECKPOINTS / BEST
        checkpoint = best if best.is_file() else None
        trainer.test(model, datamodule=data, ckpt_path=checkpoint, weights_only=True, verbose=False)
        metrics |= logged_metrics(trainer)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoard):
                test = {name: value for name, value in metrics.items() if name.startswith("test/")}
                first = {"beta", *overridden, *(key.partition(".")[2] for key in overridden)}
                logger.log_result(shown, test, first)
        save_metrics(metrics, run_dir)  # last, since test metrics mark a run as finished
        print_summary(metrics, run_dir, trainer)
    return metrics


def fit(trainer: L.Trainer, model: ELBOModule, data: ImageDataModule, checkpoint: Path | None, state: RunState) -> None:
    """Train, and explain an error that occurs before the first step or comes from the checkpoint.

    Raises:
        UserError: for such an error. Others, once a new run has started, are raised as they are.
    """
    try:
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except (UserError, Interrupted):
        raise
    except Exception as error:
        if checkpoint is None and state.started:
            raise
        failure = "training cannot start" if checkpoint is None else f"{checkpoint}: cannot be resumed"
        raise UserError(
            f"{failure} ({type(error).__name__}: {one_line(error)}). debug=true shows where it comes from."
        ) from error


def enabled_callbacks(callbacks: list[L.Callback], trainer: dict[str, Any]) -> list[L.Callback]:
    """Return the callbacks without those that an option of the trainer disables; Lightning would raise an error."""
    disabled: list[type[L.Callback]] = []
    if trainer.get("enable_progress_bar") is False:
        disabled.append(LightningProgressBar)
    if trainer.get("enable_checkpointing") is False:
        disabled.append(ModelCheckpoint)
    return [callback for callback in callbacks if not isinstance(callback, tuple(disabled))]
