"""Reading all runs under a directory, whether or not they finished."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vae_lightning.config.comparison import config_identity
from vae_lightning.config.job_names import EXCLUDE_KEYS
from vae_lightning.errors import UserError, as_user_error, one_line
from vae_lightning.io.escaping import unique_slugs, visible
from vae_lightning.io.shell import train_command
from vae_lightning.runs.artifacts import (
    is_finished,
    is_finite,
    read_config,
    read_metrics,
    read_overrides,
    read_yaml,
)
from vae_lightning.runs.discovery import runs_under
from vae_lightning.runs.format import migrate_override
from vae_lightning.runs.layout import FAILURE, OVERRIDES, PRUNED, has_resumable_checkpoint
from vae_lightning.runs.untrusted import read_text

SWEEP_CONFIG = "multirun.yaml"  # written by Hydra's sweepers

Value = str | int | float | bool | None


@dataclass
class ReportedRun:
    """The contents of a run directory. All text in it is `visible`, except the directory itself.

    Attributes:
        folder: the run directory.
        name: its path relative to the directory of the report.
        slug: its name in a form that suits a file name, different from that of other runs.
        state: `finished`, `pruned`, `unfinished` or `failed`.
        reason: why it is not finished.
        options: the resolved configuration, flat. A class is represented by the last part of its `_target_`.
        metrics: the numbers in `metrics.json`.
        command: the command that started it.
    """

    folder: Path
    name: str
    slug: str = ""
    state: str = "finished"
    reason: str = ""
    options: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    command: str = ""


def find_runs(root: Path) -> list[ReportedRun]:
    """Read every run at or under a directory, sorted by name.

    Raises:
        UserError: if there is none.
    """
    folders = runs_under(root)
    if not folders:
        raise UserError(
            f"{root}: {'there are no runs in this directory' if root.is_dir() else 'no such directory'}."
            " Pass one under runs/, such as runs/sweeps/NAME, or latest."
        )
    names = [visible(str(folder.relative_to(root))) for folder in folders]
    return list(map(read_run, folders, names, unique_slugs(names)))


def read_run(folder: Path, name: str, slug: str) -> ReportedRun:
    """Read one run. If one of its files cannot be read, its state is `failed`."""
    run = ReportedRun(folder, name, slug)
    try:
        identity = config_identity(read_config(folder))
        run.options = {visible(option_label(key)): option_value(key, value) for key, value in identity.items()}
        run.metrics = {visible(key): float(value) for key, value in read_metrics(folder).items() if is_finite(value)}
        run.command = run_command(folder)
        run.state, run.reason = read_state(folder)
    except Exception as error:  # the exceptions that a damaged file may cause cannot be listed
        run.state, run.reason = "failed", visible(f"unreadable file: {one_line(error)}")
    return run


def read_state(folder: Path) -> tuple[str, str]:
    """Return `finished`, `pruned`, `unfinished` or `failed`, and the reason."""
    if (folder / FAILURE).is_file():
        return "failed", read_reason(folder / FAILURE)
    if is_finished(folder):
        return "finished", ""
    if (folder / PRUNED).is_file():
        return "pruned", read_reason(folder / PRUNED)
    if has_resumable_checkpoint(folder):
        return "unfinished", "still running or interrupted. Rerun the command to resume from the last checkpoint."
    return "unfinished", "still running, or interrupted before the first checkpoint. Rerun the command to restart."


def read_reason(path: Path) -> str:
    """Read why a run failed or was pruned, as one line."""
    return visible(" ".join(read_text(path, path.parent).split()))


def option_label(key: str) -> str:
    """Return the short name of an option: `model.optimizer._target_` -> `optimizer`."""
    return key.removesuffix("._target_").removeprefix("model.")


def option_value(key: str, value: Any) -> Value:
    """Convert the value of an option for a table."""
    if key.endswith("_target_"):
        return visible(str(value).rpartition(".")[2])
    return value if value is None or isinstance(value, int | float) else visible(str(value))


def run_command(folder: Path) -> str:
    """Return the command that started a run. Interpolations are shown as text, never resolved.

    Raises:
        UserError: if its overrides cannot be read.
    """
    overrides = read_overrides(folder) if (folder / OVERRIDES).is_file() else []
    return visible(f"{train_command()} {shlex.join(overrides)}".rstrip())


def sweep_command(root: Path) -> str:
    """Return the command that started a sweep, or an empty string if the directory is not that of a sweep.

    Interpolations are shown as text, never resolved.

    Raises:
        UserError: if `multirun.yaml` cannot be read.
    """
    path = root / SWEEP_CONFIG
    if not path.is_file():
        return ""
    config = read_yaml(path, root)
    with as_user_error(f"{path}: not a sweep as Hydra writes it ({{error}}). Restore the original file or delete it."):
        overrides = config["hydra"]["overrides"]
        automatic = ("hydra.mode=", EXCLUDE_KEYS)
        hydra_overrides = [option for option in overrides.get("hydra", []) if not option.startswith(automatic)]
        typed = [
            re.sub(r"=choice\(([^,()]*)\)$", r"=\1", override) for override in overrides["task"]
        ]  # see defer_options
        task_overrides = [migrate_override(override) for override in typed]
        return visible(f"{train_command()} -m {shlex.join([*hydra_overrides, *task_overrides])}".rstrip())
