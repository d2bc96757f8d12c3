"""One training run: preparation -> fit -> test -> files in the run directory."""

from contextlib import nullcontext
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vae_lightning.callbacks import GracefulShutdown
from vae_lightning.callbacks.run_state import logged_metrics
from vae_lightning.config.hyperparameters import hyperparameters
from vae_lightning.config.overrides import overridden_options
from vae_lightning.errors import Interrupted, UserError, as_user_error, one_line
from vae_lightning.loggers import TensorBoard, begin_logging, closing
from vae_lightning.runs.artifacts import read_metrics
from vae_lightning.runs.layout import BEST, CHECKPOINTS
from vae_lightning.runs.locking import exclusive
from vae_lightning.runs.recording import save_configuration, save_metrics
from vae_lightning.training.messages import (
    extension,
    print_early_stop,
    print_nothing_to_train,
    print_resume_hint,
    print_resumption,
    print_run_header,
    print_summary,
    quiet_lightning,
)
from vae_lightning.training.performance import disable_nvml_check, tune_malloc
from vae_lightning.training.preparation import PreparedRun, prepare_run

EXPLAINED = (UserError, HydraException, OmegaConfBaseException)  # errors that need no more words
NOT_PREPARED = "{kind}: {error}. Nothing was written. debug=true shows where it comes from."


def train(cfg: DictConfig) -> dict[str, float]:
    """Train and test a model as configured; return the metrics that are written to `metrics.json`.

    The test uses the best checkpoint. The metrics under `train/` and `val/` are those of the last epoch.

    Raises:
        UserError: if the configuration, the data or the checkpoint to resume cannot be used, in which case nothing has
            been written; if another process trains in the same directory, a term becomes NaN
            (`callbacks.TerminateOnNaN`), or a checkpoint cannot be written.
        SystemExit: after Ctrl-C or SIGTERM, with exit code 130 or 143, once a checkpoint has been written.
    """
    tune_malloc()
    disable_nvml_check()
    quiet_lightning()
    with GracefulShutdown() as shutdown:
        try:
            with as_user_error(NOT_PREPARED, EXPLAINED):
                run = prepare_run(cfg, shutdown)
            with exclusive(run.run_dir) if run.trainer.is_global_zero else nullcontext():
                return execute(run, cfg.name)
        except Interrupted as interrupted:
            print_resume_hint(Path(cfg.run_dir))
            raise SystemExit(interrupted.exit_code) from None


def execute(run: PreparedRun, name: str) -> dict[str, float]:
    """Train and test a prepared run.

    Args:
        run: to train.
        name: its name, for the console.

    Raises:
        Interrupted: after a signal.
        UserError: as `train`.
    """
    trainer, run_dir = run.trainer, run.run_dir
    overridden = overridden_options()
    shown = hyperparameters(run.config, overridden)
    with closing(trainer.loggers):
        print_run_header(name, run.data, run.model, trainer, run_dir)
        if run.resumption:
            print_resumption(run.resumption)
        begin_logging(trainer.loggers, shown, run_dir, run.logger_ids)
        fit(run)
        if not run.state.started:  # the run had already been trained to its end
            save_configuration(run.config, run_dir)
            print_nothing_to_train(trainer)
        print_early_stop(trainer)
        further = extension(trainer)  # now, since the test restores the callbacks of the best checkpoint
        metrics = read_metrics(run_dir) | run.state.metrics if run.resumption else {}
        metrics |= logged_metrics(trainer)
        save_metrics(metrics, run_dir)

        best = run_dir / CHECKPOINTS / BEST
        checkpoint = best if best.is_file() else None
        trainer.test(run.model, datamodule=run.data, ckpt_path=checkpoint, weights_only=True, verbose=False)
        metrics |= logged_metrics(trainer)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoard):
                test = {key: value for key, value in metrics.items() if key.startswith("test/")}
                first = {"beta", *overridden, *(key.partition(".")[2] for key in overridden)}
                logger.log_result(shown, test, first)
        save_metrics(metrics, run_dir)  # last, since test metrics mark a run as finished
        print_summary(metrics, run_dir, trainer, further)
    return metrics


def fit(run: PreparedRun) -> None:
    """Train, and explain an error that occurs before the first step or comes from the checkpoint.

    Raises:
        UserError: for such an error. Others, once a new run has started or a resumed one has taken a step, are raised
            as they are.
    """
    checkpoint = run.resumption.path if run.resumption else None
    try:
        run.trainer.fit(run.model, datamodule=run.data, ckpt_path=checkpoint, weights_only=True)
    except UserError:
        raise
    except Exception as error:
        if run.state.started and (checkpoint is None or run.trainer.global_step > run.state.first_step):
            raise
        failure = "training cannot start" if checkpoint is None else f"{checkpoint}: cannot be resumed"
        raise UserError(
            f"{failure} ({type(error).__name__}: {one_line(error)}). debug=true shows where it comes from."
        ) from error
