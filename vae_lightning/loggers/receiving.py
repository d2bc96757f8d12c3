"""Figures and hyperparameters for loggers, by class. A logger of another class receives the hyperparameters only."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch.utils.tensorboard.summary import Summary  # type: ignore[attr-defined]

from vae_lightning.io.shell import display_path

# ---------------------------------------------------------------- figures


@singledispatch
def log_figure(logger: Logger, name: str, file: Path, step: int) -> None:
    """Log a figure, if the logger can show one. The file is logged as it is, so nothing is drawn twice.

    Args:
        logger: any logger.
        name: of the figure.
        file: a PNG, or a GIF, which stays animated.
        step: the number of training images seen.
    """


@log_figure.register
def _(logger: TensorBoardLogger, name: str, file: Path, step: int) -> None:
    with Image.open(file) as picture:
        width, height = picture.size
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=file.read_bytes())
    value = Summary.Value(tag=f"figures/{name}", image=image)
    logger.experiment._get_file_writer().add_summary(Summary(value=[value]), step)


@log_figure.register
def _(logger: WandbLogger, name: str, file: Path, step: int) -> None:
    logger.log_image(f"figures/{name}", [str(file)], step)


@log_figure.register
def _(logger: MLFlowLogger, name: str, file: Path, step: int) -> None:
    if file.suffix == ".gif":  # `log_image` would keep its first frame
        logger.experiment.log_artifact(logger.run_id, str(file), "figures")
        return
    with Image.open(file) as picture:
        logger.experiment.log_image(logger.run_id, picture, key=name, step=step)


# ---------------------------------------------------------------- hyperparameters


@singledispatch
def log_hyperparameters(logger: Logger, hyperparameters: dict[str, Any]) -> None:
    """Log the hyperparameters at the start of a run, and again when it resumes."""
    logger.log_hyperparams(hyperparameters)


@log_hyperparameters.register
@rank_zero_only
def _(logger: MLFlowLogger, hyperparameters: dict[str, Any]) -> None:
    """Log new ones as parameters and changed ones as tags, since MLflow does not let a parameter change."""
    client, run_id = logger.experiment, logger.run_id
    client.update_run(run_id, status="RUNNING")  # it has failed if it was interrupted
    logged = client.get_run(run_id).data.params
    logger.log_hyperparams({key: value for key, value in hyperparameters.items() if key not in logged})
    for key, value in hyperparameters.items():
        if key in logged and logged[key] != str(value)[: len(logged[key])]:
            client.set_tag(run_id, f"changed.{key}", value)


# ---------------------------------------------------------------- the end of a run


@singledispatch
def close(logger: Logger, failed: bool) -> None:
    """End what would otherwise last until the process ends. The next run in this process begins its own."""


@close.register
def _(logger: WandbLogger, failed: bool) -> None:
    if logger._experiment is not None:
        logger.experiment.finish(exit_code=int(failed))


@contextmanager
def closing(loggers: Iterable[Logger]) -> Iterator[None]:
    """Close loggers after a block, which fails if it raises an exception."""
    failed = True
    try:
        yield
        failed = False
    finally:
        for logger in loggers:
            close(logger, failed)


@singledispatch
def where_to_look(logger: Logger, run_dir: Path) -> str:
    """Return the command, address or file that shows the curves, empty if unknown."""
    return ""


@where_to_look.register
def _(logger: TensorBoardLogger, run_dir: Path) -> str:
    return f"tensorboard --logdir {display_path(run_dir.parent)}"


@where_to_look.register
def _(logger: CSVLogger, run_dir: Path) -> str:
    return display_path(Path(logger.log_dir) / "metrics.csv")


@where_to_look.register
def _(logger: WandbLogger, run_dir: Path) -> str:
    run = logger.experiment
    return f"wandb sync {display_path(Path(run.dir).parent)}" if run.offline else run.url or ""


@where_to_look.register
def _(logger: MLFlowLogger, run_dir: Path) -> str:
    return f"mlflow ui --backend-store-uri {logger._tracking_uri}"
