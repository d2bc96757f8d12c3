"""Where things lie in a run's folder."""

import json
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

from omegaconf import OmegaConf

from vae_lightning.errors import UserError

CHECKPOINTS = "checkpoints"
LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
CONFIG = Path(".hydra") / "config.yaml"
FAILURE = "failure.txt"
METRICS = "metrics.json"
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
    """What `metrics.json` holds, if it is there."""
    path = run_dir / METRICS
    return json.loads(path.read_text()) if path.is_file() else {}


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
        saved = [option for option in map(str, OmegaConf.load(run / OVERRIDES)) if not option.startswith("resume=")]
        can_go_on = any((run / CHECKPOINTS / name).is_file() for name in (LAST, PREVIOUS))
        if can_go_on and sorted(saved) == sorted(typed):
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
