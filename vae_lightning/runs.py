"""Where things lie in a run's folder."""

from pathlib import Path

from vae_lightning.errors import UserError

CHECKPOINTS = "checkpoints"
CONFIG = Path(".hydra") / "config.yaml"
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
    candidates = [
        folder / f"{name}.ckpt" for name in (preferred, "last", "best") for folder in (path / CHECKPOINTS, path)
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        raise UserError(f"{path}: no {CHECKPOINTS}/last.ckpt or best.ckpt in this folder; type a run's folder")
    raise UserError(f"{path}: there is no such run or checkpoint; type a folder under runs/, or a .ckpt file in one")


def run_folder(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to."""
    return checkpoint.absolute().parent.parent
