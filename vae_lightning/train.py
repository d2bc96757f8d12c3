"""One run: data -> model -> trainer -> fit -> test -> what it leaves in its folder."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from vae_lightning import console, record
from vae_lightning.callbacks import Finite, Interrupted, Interruption, RunState
from vae_lightning.callbacks.checkpoints import refuse_monitor
from vae_lightning.checkpoint_files import CheckpointFiles
from vae_lightning.checkpoints import checkpoint_to_resume
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError, one_line
from vae_lightning.loggers import TensorBoard
from vae_lightning.models import ELBOModule
from vae_lightning.runs import CHECKPOINTS, saved_metrics

build = partial(instantiate, _convert_="all")  # lists and dictionaries rather than OmegaConf's


def train(cfg: DictConfig) -> dict[str, float]:
    """Train and test what the configuration says; return the metrics that `metrics.json` holds.

    The test uses the best checkpoint; metrics of `train/` and `val/` are those of the last epoch.

    Raises:
        UserError: when the configuration, the data or the checkpoint to resume cannot be used. Nothing has been written
            by then. Also when the numbers go wrong (`callbacks.Finite`), or a checkpoint cannot be written.
        SystemExit: after Ctrl-C or SIGTERM, with a checkpoint written; the code is 130 or 143.
    """
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
    checkpoint = checkpoint_to_resume(config)

    L.seed_everything(cfg.seed, workers=True, verbose=False)
    data: ImageDataModule = build(cfg.data)
    data.prepare_data()
    data.setup()
    if config["model"]["conditional"] and data.splits["train"].y is None:
        raise UserError("model.conditional=true needs labels, and none were found: type model.conditional=false")
    model: ELBOModule = build(cfg.model)
    refuse_monitor(cfg.monitor, model, data)
    state = RunState(config)
    trainer: L.Trainer = build(
        cfg.trainer,
        callbacks=[state, Finite(run_dir / CHECKPOINTS), *build(cfg.callbacks).values(), interruption],
        logger=list(build(cfg.logger or {}).values()),
        plugins=[CheckpointFiles(), *(build(cfg.trainer.get("plugins")) or [])],
    )

    record.save_configuration(config, run_dir)
    console.announce(cfg.name, data, model, trainer, run_dir)
    try:
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except MisconfigurationException as error:  # such as a `monitor` that this model does not log
        raise UserError(one_line(error)) from error
    except Exception as error:
        if checkpoint is None or state.started or isinstance(error, UserError | Interrupted):
            raise
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"{checkpoint}: cannot be resumed ({reason}); start a new run") from error
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


def as_numbers(trainer: L.Trainer) -> dict[str, float]:
    """The metrics logged so far under `train/`, `val/` and `test/`."""
    return {name: value.item() for name, value in trainer.callback_metrics.items() if "/" in name}


def best_checkpoint(run_dir: Path) -> Path | None:
    """The path of the best checkpoint, or None, the weights as they are, where none was kept."""
    path = run_dir / CHECKPOINTS / "best.ckpt"
    return path if path.is_file() else None
