"""The runs under a folder, whatever became of them."""

import math
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from vae_lightning.errors import UserError, one_line
from vae_lightning.runs import (
    CHECKPOINTS,
    CONFIG,
    FAILURE,
    LAST,
    OVERRIDES,
    PREVIOUS,
    PRUNED,
    is_finished,
    saved_metrics,
)
from vae_lightning.sweep import comparable

Value = str | int | float | bool | None


@dataclass
class Run:
    """One run's folder, read.

    Attributes:
        folder: where it lies.
        name: the same, as seen from the folder of the report.
        state: `finished`, `pruned`, `unfinished` or `failed`.
        reason: why it is not finished.
        options: the resolved configuration, flat; a class is named by the last part of its `_target_`.
        metrics: the numbers of `metrics.json`.
        command: what was typed.
    """

    folder: Path
    name: str
    state: str = "finished"
    reason: str = ""
    options: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    command: str = ""


def find_runs(root: Path) -> list[Run]:
    """Every run at or under a folder, by its name.

    Raises:
        UserError: when there is none.
    """
    folders = sorted(path.parent.parent for path in root.rglob(str(CONFIG)))
    if not folders:
        raise UserError(f"{root}: there are no runs in this folder; type one under runs/, such as runs/sweeps/NAME")
    return [read_run(folder, str(folder.relative_to(root))) for folder in folders]


def read_run(folder: Path, name: str) -> Run:
    """One run; a file that cannot be read makes it a failed one."""
    run = Run(folder, name)
    try:
        config: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))  # type: ignore[assignment]
        run.options = {option_label(key): option_value(key, value) for key, value in comparable(config).items()}
        run.metrics = {key: float(value) for key, value in saved_metrics(folder).items() if is_number(value)}
        run.command = typed(folder)
        run.state, run.reason = state_of(folder)
    except Exception as error:  # what a damaged file may raise is listed nowhere
        run.state, run.reason = "failed", f"a file cannot be read: {one_line(error)}"
    return run


def state_of(folder: Path) -> tuple[str, str]:
    """`finished`, `pruned`, `unfinished` or `failed`, and the reason."""
    if (folder / FAILURE).is_file():
        return "failed", one_line(Exception((folder / FAILURE).read_text()))
    if is_finished(folder):
        return "finished", ""
    if (folder / PRUNED).is_file():
        return "pruned", one_line(Exception((folder / PRUNED).read_text()))
    if any((folder / CHECKPOINTS / name).is_file() for name in (LAST, PREVIOUS)):
        return "unfinished", "running, or cut off: the same command goes on from its last checkpoint"
    return "unfinished", "running, or cut off before its first checkpoint: the same command begins it again"


def option_label(key: str) -> str:
    """`model.optimizer._target_` -> `optimizer`: an option as one would say it."""
    return key.removesuffix("._target_").removeprefix("model.")


def option_value(key: str, value: Any) -> Value:
    """A value as it can stand in a table."""
    if key.endswith("_target_"):
        return str(value).rpartition(".")[2]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def is_number(value: Any) -> bool:
    """Whether a value of `metrics.json` is one finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def typed(folder: Path) -> str:
    """The command that made a run, as a person would type it."""
    path = folder / OVERRIDES
    return shlex.join(["python", "train.py", *(OmegaConf.load(path) if path.is_file() else [])])


def typed_for_all(root: Path) -> str:
    """The command that made the sweep, or nothing where the folder is none."""
    path = root / "multirun.yaml"
    if not path.is_file():
        return ""
    typed: Any = OmegaConf.to_container(OmegaConf.load(path).hydra.overrides, resolve=False)
    how = [option for option in typed.get("hydra", []) if not option.startswith("hydra.mode=")]
    return shlex.join(["python", "train.py", "-m", *how, *typed["task"]])
