"""Finding the file of a model: that of a run, an export, or one of the package's own in `vae_lightning/pretrained/`."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

from vae_lightning.errors import UserError, as_user_error
from vae_lightning.runs.artifacts import read_config
from vae_lightning.runs.discovery import LATEST, RUNS, resolve_run
from vae_lightning.runs.format import migrate_config
from vae_lightning.runs.layout import CONFIG, EXPORT_SUFFIX, EXPORTED, find_checkpoint, run_dir_of

FOLDER = Path(__file__).parents[1] / "pretrained"  # its README says how each model was made


def pretrained_names() -> list[str]:
    """Return the names of the models that come with the package, such as `mnist_vae_2d`."""
    return sorted(path.stem for path in FOLDER.glob(f"*{EXPORT_SUFFIX}"))


def find_model(path: str | Path, preferred: str = "best") -> Path:
    """Return the checkpoint or export that a path, `latest` or the name of a pretrained model refers to.

    Args:
        path: a file, a directory with one, `latest`, or a name for which there is no such file or directory.
        preferred: which checkpoint of a run to return, `best` or `last`; if it is missing, another one is.

    Raises:
        UserError: if there is none.
    """
    names = pretrained_names()
    if str(path) in names and not Path(path).exists():
        return FOLDER / f"{path}{EXPORT_SUFFIX}"
    return find_checkpoint(resolve_run(path), preferred, others=[*names, LATEST])


def model_dir(file: Path) -> Path:
    """Return the directory of a model: that of its run, or one named after an export.

    `model.safetensors` has the directory that it is in, `NAME.safetensors` the directory `NAME` beside it, and a model
    of the package `runs/pretrained/NAME`.
    """
    if file.suffix != EXPORT_SUFFIX:
        return run_dir_of(file)
    if file.parent == FOLDER:
        return (RUNS / "pretrained" / file.stem).absolute()
    return file.absolute().parent if file.name == EXPORTED else file.absolute().with_suffix("")


def read_model_config(path: str | Path) -> dict[str, Any]:
    """Read the resolved configuration of a model, without torch.

    Args:
        path: see `find_model`.

    Raises:
        UserError: if there is no such model, or its configuration cannot be read.
    """
    file = find_model(path)
    if file.suffix != EXPORT_SUFFIX:
        return read_run_config(file)
    with as_user_error(f"{file}: cannot be read as safetensors ({{error}})."), safe_open(file, "np") as export:
        metadata = export.metadata() or {}
    config = json.loads(metadata.get("config", "{}"))
    if "model" not in config:
        raise UserError(f"{file}: has no model in its metadata. Write the file with vae-lightning export.")
    return migrate_config(config)


def read_run_config(checkpoint: Path) -> dict[str, Any]:
    """Read the resolved configuration of the run that a checkpoint belongs to.

    Raises:
        UserError: if the checkpoint is not in a run directory, or the configuration cannot be read.
    """
    run_dir = run_dir_of(checkpoint)
    if not (run_dir / CONFIG).exists():
        raise UserError(
            f"{checkpoint}: not in checkpoints/ of a run directory, whose {CONFIG} is required. Pass the run, or the"
            " file that vae-lightning export writes for it."
        )
    return read_config(run_dir)
