"""Where things lie in a run's folder."""

import json
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vae_lightning.errors import UserError, one_line

CHECKPOINTS = "checkpoints"
LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
CONFIG = Path(".hydra") / "config.yaml"
FAILURE = "failure.txt"
METRICS = "metrics.json"
PRUNED = "pruned.txt"
OVERRIDES = Path(".hydra") / "overrides.yaml"


def find_checkpoint(path: str | Path, preferred: str) -> Path:
    """The checkpoint that a path names: itself, or one in the run's folder that it names.

    Args:
        path: a checkpoint, a run's folder, or the checkpoints' in it.
        preferred: the one to take from a folder, `best` or `last`; the other where it is not there.

    Raises:
        UserError: when there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    names = (f"{preferred}.ckpt", LAST, PREVIOUS, BEST)  # the last is away for a moment while a new one takes its place
    candidates = [folder / name for name in names for folder in (path / CHECKPOINTS, path)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        raise UserError(f"{path}: no {CHECKPOINTS}/last.ckpt or best.ckpt in this folder; type a run's folder")
    raise UserError(f"{path}: there is no such run or checkpoint; type a folder under runs/, or a .ckpt file in one")


def run_folder(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to."""
    return checkpoint.absolute().parent.parent


def saved_metrics(run_dir: Path) -> dict[str, float]:
    """What `metrics.json` holds, if it is there.

    Raises:
        UserError: when it cannot be read.
    """
    path = run_dir / METRICS
    if not path.is_file():
        return {}
    try:
        metrics = json.loads(path.read_text())
        if not isinstance(metrics, dict):
            raise ValueError("it holds no names")
        return metrics
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)}); delete it, and resume the run") from error


def saved_config(run_dir: Path) -> dict[str, Any]:
    """The resolved configuration of a run, as plain containers.

    Raises:
        UserError: when there is none, it cannot be read, or holds an interpolation: that could do anything.
    """
    path = run_dir / CONFIG
    if not path.is_file():
        raise UserError(f"{run_dir}: is no run's folder, it has no {CONFIG}")
    config = read_yaml(path)
    if not isinstance(config, dict) or "${" in str(config):
        raise UserError(f"{path}: is not what a run has written, a resolved configuration")
    return config


def saved_overrides(run_dir: Path) -> list[str]:
    """What was typed for a run.

    Raises:
        UserError: when the file is not there, or cannot be read.
    """
    overrides = read_yaml(run_dir / OVERRIDES)
    if not isinstance(overrides, list) or not all(isinstance(override, str) for override in overrides):
        raise UserError(f"{run_dir / OVERRIDES}: cannot be read (it holds no list of what was typed)")
    return overrides


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, as plain containers, with no interpolation followed.

    Raises:
        UserError: when it cannot be read.
    """
    try:
        return OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:  # what a damaged file may raise is listed nowhere
        raise UserError(f"{path}: cannot be read ({one_line(error)})") from error


def is_finished(run_dir: Path) -> bool:
    """Whether the run in a folder came to its end, without a failure: it has been tested, which is its last deed."""
    return not (run_dir / FAILURE).exists() and any(name.startswith("test/") for name in saved_metrics(run_dir))


def newest_run(typed: list[str]) -> Path | None:
    """The newest run under `runs/` that the same options were typed for, in any order, and that has a checkpoint.

    Args:
        typed: the options of the command line but for `resume`.
    """
    runs = [file.parents[1] for file in Path("runs").glob(f"*/*/{OVERRIDES}")]
    for run in sorted(runs, key=started, reverse=True):
        if not any((run / CHECKPOINTS / name).is_file() for name in (LAST, PREVIOUS)):
            continue
        with suppress(UserError):  # a damaged file is no reason not to find another run
            saved = [option for option in saved_overrides(run) if not option.startswith("resume=")]
            if sorted(saved) == sorted(typed):
                return run
    return None


def started(run: Path) -> tuple[str, int]:
    """When a run began, by the name of its folder: the second, and the number among those of the same second."""
    second, _, number = run.name.partition("~")
    return second, int(number) if number.isdecimal() else 1


@cache
def new_folder(path: str) -> str:
    """Make a folder that no other run has, though it began in the same second: `path`, or `path~2`, `path~3`, ...

    Hydra's `${new_folder:...}`, which may be asked several times in a process and gives the same answer.
    """
    for n in count(1):
        folder = Path(path if n == 1 else f"{path}~{n}")
        with suppress(FileExistsError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            return str(folder)
    raise AssertionError("numbers do not end")


OmegaConf.register_new_resolver("new_folder", new_folder, replace=True)
