"""Building the loggers of a run, and the ids under which a resumed run continues them."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from vae_lightning.config.instantiation import build_component
from vae_lightning.errors import as_user_error
from vae_lightning.io.atomic import atomic_write
from vae_lightning.loggers.receiving import log_hyperparameters
from vae_lightning.runs.artifacts import read_json
from vae_lightning.runs.layout import LOGGER_IDS

ID_OPTIONS = {"WandbLogger": "id", "MLFlowLogger": "run_id"}  # Lightning's name for the id of a run
HINTS = {
    "WandbLogger": "Run wandb login, or set logger.wandb.offline=true.",
    "MLFlowLogger": "Set logger.mlflow.tracking_uri to a server that is running, or to sqlite:///mlflow.db.",
}


def build_loggers(cfg: DictConfig, ids: dict[str, str]) -> list[Logger]:
    """Build the loggers of a run.

    Args:
        cfg: the configuration of the run, with any number of loggers.
        ids: class of a logger -> the id of the run that it continues.
    """
    # MLflow reads these when it is imported. Its usage statistics would use the network.
    for variable, value in {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}.items():
        os.environ.setdefault(variable, value)
    entries = cfg.get("logger") or {}
    loggers = []
    for name in entries:
        if entries[name] is not None:
            kind = entries[name]["_target_"].rpartition(".")[2]
            known = {ID_OPTIONS[kind]: ids[kind]} if kind in ID_OPTIONS and kind in ids else {}
            loggers.append(build_component(entries, name, Logger, "logger", **known))
            # Lightning passes this option also if it is not set, and W&B warns that it has no effect any more
            getattr(loggers[-1], "_wandb_init", {}).pop("anonymous", None)
    return loggers


def read_logger_ids(run_dir: Path) -> dict[str, str]:
    """Read the ids of a run's loggers; empty if there are none.

    Raises:
        UserError: if the file cannot be read.
    """
    ids = read_json(run_dir / LOGGER_IDS, run_dir, "Delete it; the trackers then begin new runs.")
    return {kind: str(identifier) for kind, identifier in ids.items()}


@rank_zero_only
def begin_logging(
    loggers: Iterable[Logger], hyperparameters: dict[str, Any], run_dir: Path, ids: dict[str, str]
) -> None:
    """Log the hyperparameters, and save the ids of the loggers in the run directory, for a run that resumes.

    Args:
        loggers: of the run.
        hyperparameters: their names and values.
        run_dir: the run directory.
        ids: those that were saved when the run was interrupted, if it was; kept if that logger is not used now.

    Raises:
        UserError: if a logger cannot begin, for example because nobody has logged in.
    """
    new = {}
    for logger in loggers:
        kind = type(logger).__name__
        with as_user_error(f"logger: {kind} cannot begin ({{error}}). {HINTS.get(kind, 'Leave it out.')}"):
            log_hyperparameters(logger, hyperparameters)
            if kind in ID_OPTIONS:
                new[kind] = str(logger.version)
    if new:
        (run_dir / LOGGER_IDS).parent.mkdir(parents=True, exist_ok=True)
        atomic_write(json.dumps(ids | new) + "\n", run_dir / LOGGER_IDS)
