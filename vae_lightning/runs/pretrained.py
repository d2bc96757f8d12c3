"""Finding the file of a model: that of a run, an export, or one of the package's own in `vae_lightning/pretrained/`."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

from vae_lightning.errors import as_user_error
from vae_lightning.runs.artifacts import read_config
from vae_lightning.runs.discovery import LATEST, RUNS, resolve_run
from vae_lightning.runs.format import migrate_config
from vae_lightning.runs.layout import CONFIG, EXPORT_SUFFIX, find_checkpoint, run_dir_of

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
    """Return the directory of a model: that of its run or export, or `runs/pretrained/NAME` for one of the package."""
    if file.suffix != EXPORT_SUFFIX:
        return run_dir_of(file)
    return (RUNS / "pretrained" / file.stem if file.parent == FOLDER else file.parent).absolute()


def read_model_config(path: str | Path) -> dict[str, Any]:
    """Read the resolved configuration of a model, without torch.

    Args:
        path: see `find_model`.

    Raises:
        UserError: if there is no such model, or its configuration cannot be read.
    """
    file = find_model(path)
    folder = model_dir(file)
    if file.suffix != EXPORT_SUFFIX or (folder / CONFIG).is_file():
        return read_config(folder)
    with as_user_error(f"{file}: cannot be read as safetensors ({{error}})."), safe_open(file, "np") as export:
        return migrate_config(json.loads(export.metadata()["config"]))
