"""A finished run, opened again: its configuration, its model, its data."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

from hydra.utils import instantiate
from omegaconf import OmegaConf

from vae_lightning.checkpoints import model_of, read, refuse_untrusted
from vae_lightning.configuration import check, leaves
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError, one_line
from vae_lightning.models import ELBOModule
from vae_lightning.runs import CONFIG, find_checkpoint, run_folder, saved_config, saved_metrics

log = logging.getLogger(__name__)


class FinishedRun(NamedTuple):
    """What a run leaves, ready to be asked.

    Attributes:
        run_dir: its folder.
        config: the resolved configuration, as plain containers.
        model: that of the best checkpoint, on the CPU, in eval mode and without gradients.
        data: loaded, with its splits.
    """

    run_dir: Path
    config: dict[str, Any]
    model: ELBOModule
    data: ImageDataModule


def open_run(path: str | Path, *, trust: tuple[str, ...] = ()) -> FinishedRun:
    """Open a run's folder, or that of a checkpoint in it.

    Args:
        path: a run's folder, or a checkpoint in it.
        trust: packages of your own whose classes the checkpoint may name; see `load`.

    Raises:
        UserError: when it is no run's folder, has no checkpoint, a file of it is damaged, names a class that is not
            trusted, or its data is no longer there.
    """
    source = find_checkpoint(path, preferred="best")
    checkpoint = read(source)
    model = model_of(checkpoint, source, trust=trust)
    run_dir = run_folder(source)
    saved_metrics(run_dir)  # a damaged file is told before the work, not when its numbers are to be kept
    config = saved_config(run_dir)
    refuse_untrusted(config.get("data"), ("vae_lightning.data", *trust), run_dir / CONFIG)
    try:
        check(OmegaConf.create(config))
    except Exception as error:  # what a configuration that was changed may raise is listed nowhere
        raise UserError(f"{run_dir / CONFIG}: {one_line(error)}") from error
    tell_differences(config, checkpoint["config"], run_dir)
    try:
        data: ImageDataModule = instantiate(config["data"], _convert_="all")
        data.prepare_data()
        data.setup()
    except UserError:
        raise
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, UserError) else error
        raise UserError(f"{run_dir / CONFIG}: its data cannot be had ({one_line(cause)})") from error
    return FinishedRun(run_dir, config, model, data)


def tell_differences(config: dict[str, Any], trained: dict[str, Any], run_dir: Path) -> None:
    """Warn of data that is not that of the training: somebody has changed the file, perhaps to say where it is now."""
    now, before = ({f"data.{key}": value for key, value in leaves(c.get("data") or {})} for c in (config, trained))
    for key in now | before:
        if now.get(key) != before.get(key):
            values = now.get(key), before.get(key)
            log.warning("%s: %s=%s, the model was trained with %s", run_dir / CONFIG, key, *values)
