"""A finished run, opened again: its configuration, its model, its data."""

from pathlib import Path
from typing import Any, NamedTuple

from hydra.utils import instantiate
from omegaconf import OmegaConf

from vae_lightning.checkpoints import load
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule
from vae_lightning.runs import CONFIG, find_checkpoint, run_folder


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
        UserError: when it is no run's folder, has no checkpoint, or its data is no longer there.
    """
    checkpoint = find_checkpoint(path, preferred="best")
    model = load(checkpoint, trust=trust)
    run_dir = run_folder(checkpoint)
    if not (run_dir / CONFIG).is_file():
        raise UserError(f"{run_dir}: is no run's folder, it has no {CONFIG}")
    config: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(run_dir / CONFIG), resolve=True)  # type: ignore[assignment]
    data: ImageDataModule = instantiate(config["data"], _convert_="all")
    data.prepare_data()
    data.setup()
    return FinishedRun(run_dir, config, model, data)
