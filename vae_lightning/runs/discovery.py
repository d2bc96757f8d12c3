"""Finding runs under `runs/`."""

from contextlib import suppress
from pathlib import Path

from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import is_finished, read_config, read_overrides
from vae_lightning.runs.layout import CONFIG, OVERRIDES, has_resumable_checkpoint

RUNS = Path("runs")
SWEEPS = RUNS / "sweeps"
LATEST = "latest"


def resolve_run(path: str | Path) -> Path:
    """Return a path as it is, or the most recently started run under `runs/` that has a checkpoint if it is `latest`.

    Raises:
        UserError: if it is `latest` and there is no run.
    """
    if str(path) != LATEST:
        return Path(path)
    runs = newest_first(RUNS)
    return next(filter(has_resumable_checkpoint, runs), runs[0])


def newest_source(option: str) -> Path:
    """Return the most recently started run under `runs/` that has a checkpoint, and itself comes from no other run.

    Args:
        option: `prior_of` or `init_from`; runs in whose configuration it is set are skipped.

    Raises:
        UserError: if there is none.
    """
    for run in filter(has_resumable_checkpoint, newest_first(RUNS)):
        with suppress(UserError):  # skip runs whose files are damaged
            if not read_config(run).get(option):
                return run
    raise UserError(f"{option}={LATEST}: no run under {RUNS}/ has a model of its own. Train one first.")


def resolve_sweep(path: str | Path) -> Path:
    """Return a path as it is, or the most recent sweep if it is `latest`; all of `runs/` if there is no sweep.

    Raises:
        UserError: if it is `latest` and there is no run.
    """
    if str(path) != LATEST:
        return Path(path)
    jobs = [run for run in newest_first(RUNS) if SWEEPS in run.parents]
    return SWEEPS / jobs[0].relative_to(SWEEPS).parts[0] if jobs else RUNS


def find_evaluable_runs(path: str | Path) -> list[Path]:
    """Return the finished runs at any depth of a directory, sorted by name; any other path, `latest` resolved, alone.

    A run whose metrics cannot be read is included, so that its error is reported.

    Raises:
        UserError: if there are runs in the directory, but none has finished; or if there is no latest run.
    """
    path = resolve_run(path)
    runs = [] if (path / CONFIG).exists() else runs_under(path)
    if not runs:
        return [path]
    finished = [run for run in runs if is_finished_or_damaged(run)]
    if not finished:
        raise UserError(f"{path}: none of the runs in this directory has finished. Rerun their command to resume them.")
    return finished


def is_finished_or_damaged(run: Path) -> bool:
    """Return whether a run has finished, or its metrics cannot be read."""
    try:
        return is_finished(run)
    except UserError:
        return True


def runs_under(folder: Path) -> list[Path]:
    """Return the run directories at or under a directory, sorted by name."""
    return sorted(file.parents[1] for file in folder.rglob(str(CONFIG)))


def newest_first(folder: Path) -> list[Path]:
    """Return the runs under a directory, the one that was started or resumed last first.

    Raises:
        UserError: if there are none.
    """
    runs = runs_under(folder)
    if not runs:
        raise UserError(f"{LATEST}: there are no runs under {folder}/. Train a model first, or pass a run directory.")
    return sorted(runs, key=lambda run: (run / CONFIG).stat().st_mtime_ns, reverse=True)


def find_newest_run(overrides: list[str]) -> Path | None:
    """Return the newest run under `runs/` that was started with the same overrides and has a checkpoint, or None.

    Args:
        overrides: without `resume`, in any order.
    """
    runs = [file.parents[1] for file in RUNS.glob(f"*/*/{OVERRIDES}")]
    for run in sorted(filter(has_resumable_checkpoint, runs), key=start_key, reverse=True):
        with suppress(UserError):  # skip runs whose files are damaged
            saved = [override for override in read_overrides(run) if not override.startswith("resume=")]
            if sorted(saved) == sorted(overrides):
                return run
    return None


def start_key(run: Path) -> tuple[str, int]:
    """Return when a run started, from its name: the second, and its number among the runs of that second."""
    second, _, number = run.name.partition("~")
    return second, int(number) if number.isdecimal() else 1
