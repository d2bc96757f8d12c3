"""The layout of a run directory, and how to create one and find a checkpoint in it."""

from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from itertools import count
from pathlib import Path

from omegaconf import OmegaConf

from vae_lightning.errors import UserError, as_user_error
from vae_lightning.runs.untrusted import check_regular_file

CHECKPOINTS = "checkpoints"
LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
CHANGES = Path(".hydra") / "changes.jsonl"
CONFIG = Path(".hydra") / "config.yaml"
LOGGER_IDS = Path(".hydra") / "loggers.json"
EXPORT_SUFFIX = ".safetensors"
EXPORTED = f"model{EXPORT_SUFFIX}"
FAILURE = "failure.txt"
METRICS = "metrics.json"
PRUNED = "pruned.txt"
OVERRIDES = Path(".hydra") / "overrides.yaml"


def find_checkpoint(path: str | Path, preferred: str, others: Sequence[str] = ()) -> Path:
    """Return the checkpoint that a path refers to.

    Args:
        path: a checkpoint, a run directory, the `checkpoints/` directory in one, or a folder with an exported model.
        preferred: which checkpoint of a directory to return, `best` or `last`; if it is missing, another one is.
        others: names that would be valid besides paths, for suggestions.

    Raises:
        UserError: if there is no checkpoint.
    """
    path = Path(path)
    if path.is_file():
        return path
    # last.ckpt is missing for a moment while it is replaced
    names = (f"{preferred}.ckpt", LAST, PREVIOUS, BEST, EXPORTED)
    candidates = [folder / name for name in names for folder in (path / CHECKPOINTS, path)]
    for candidate in candidates:
        if candidate.exists():
            with as_user_error(f"{candidate}: cannot be read ({{error}}). Replace it by the checkpoint itself."):
                check_regular_file(candidate, path)
            return candidate
    if path.is_dir():
        runs = sorted(folder.parent for folder in path.glob(f"*/{CHECKPOINTS}"))
        hint = f"Pass a run in it, such as {runs[-1]}." if runs else "Pass a run directory."
        raise UserError(f"{path}: no {CHECKPOINTS}/last.ckpt or best.ckpt here. {hint}")
    raise UserError(f"{path}: no such run or checkpoint. {suggest_folder(path, others)}")


def suggest_folder(path: Path, others: Sequence[str]) -> str:
    """Return a sentence with a directory, or another name, that may be meant by a path that does not exist."""
    runs = [folder.parent for folder in Path("runs").glob(f"*/*/{CHECKPOINTS}")]
    known = [*sorted({str(folder) for run in runs for folder in (run, run.parent)}), *others]
    close = [match for name in (path, Path("runs", path)) for match in get_close_matches(str(name), known, 1, 0.8)]
    return f"Did you mean {close[0]}?" if close else "Pass a directory under runs/, or a .ckpt file in one."


def has_resumable_checkpoint(run_dir: Path) -> bool:
    """Return whether a run has a checkpoint that it can resume from."""
    return any((run_dir / CHECKPOINTS / name).is_file() for name in (LAST, PREVIOUS))


def run_dir_of(checkpoint: Path) -> Path:
    """Return the directory of the run that a checkpoint belongs to."""
    return checkpoint.absolute().parent.parent


@cache
def create_unique_dir(path: str) -> str:
    """Create a directory that no other run has: `path`, or else `path~2`, `path~3`, ...

    Registered with OmegaConf as `${new_folder:...}`. Cached, since Hydra may resolve it several times in one process.
    """
    for n in count(1):
        folder = Path(path if n == 1 else f"{path}~{n}")
        with suppress(FileExistsError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            return str(folder)
    raise AssertionError("unreachable")


OmegaConf.register_new_resolver("new_folder", create_unique_dir, replace=True)
