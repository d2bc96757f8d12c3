"""Evaluate several runs and compare them."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_lightning.checkpointing.trust import Trust
from vae_lightning.config.error_reporting import USER_FACING_ERRORS, format_error
from vae_lightning.errors import UserError, as_user_error
from vae_lightning.evaluation.evaluate import evaluate, resolve_options
from vae_lightning.evaluation.table import build_comparison
from vae_lightning.io.console import CONSOLE, print_wide
from vae_lightning.io.shell import display_path
from vae_lightning.runs.discovery import find_evaluable_runs

UNEXPECTED = "{kind}: {error}. Evaluate it alone with --debug to see where it comes from."


def evaluate_runs(
    paths: Sequence[str | Path],
    *,
    peers: Sequence[str | Path] = (),
    trust: Trust = (),
    data_root: str | Path | None = None,
    **options: Any,
) -> dict[Path, dict[str, Any]]:
    """Evaluate runs one after the other, and print a table that compares them if there are several.

    The error of a run is printed on one line, and the other runs are evaluated. Runs on the same data share the
    classifier that samples are compared with.

    >>> evaluate_runs(["runs/sweeps/first", "latest"], quick=True, only=["samples"])  # doctest: +SKIP

    Args:
        paths: run directories, `latest`, checkpoints in run directories, or directories with finished runs.
        peers: as in `evaluate`.
        trust: as in `evaluate`.
        data_root: as in `evaluate`, for all runs.
        **options: the other options of `evaluate`.

    Returns:
        The numbers of each run, as `evaluate` returns them.

    Raises:
        UserError: if an option is invalid, in which case nothing is evaluated; after all runs, if one cannot be
            evaluated.
    """
    resolve_options(**options)
    runs = list(dict.fromkeys(run for path in paths for run in find_evaluable_runs(path)))
    numbers: dict[Path, dict[str, Any]] = {}
    for n, run in enumerate(runs, start=1):
        if len(runs) > 1:
            CONSOLE.print(f"run {n} of {len(runs)}   {display_path(run)}")
        try:
            with as_user_error(f"{run}: {UNEXPECTED}", reraise=USER_FACING_ERRORS):
                numbers[run] = evaluate(run, peers=peers, trust=trust, data_root=data_root, **options)
        except USER_FACING_ERRORS as error:
            if len(runs) == 1:
                raise
            print(f"error: {format_error(error, [])}", file=sys.stderr, flush=True)
    if len(runs) > 1 and numbers:
        base = os.path.commonpath([run.absolute().parent for run in runs])
        names = {os.path.relpath(run.absolute(), base): values for run, values in numbers.items()}
        print_wide(build_comparison(names))
    if failed := [display_path(run) for run in runs if run not in numbers]:
        raise UserError(f"{', '.join(failed)}: not evaluated. Fix the errors above.")
    return numbers
