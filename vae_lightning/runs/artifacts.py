"""Reading the files of a run directory besides its checkpoints."""

import json
import math
from pathlib import Path
from typing import Any

from vae_lightning.errors import UserError, as_user_error, one_line
from vae_lightning.runs.format import migrate_config, migrate_override
from vae_lightning.runs.layout import CONFIG, FAILURE, METRICS, OVERRIDES
from vae_lightning.runs.untrusted import parse_yaml, read_text


def read_metrics(run_dir: Path) -> dict[str, Any]:
    """Read `metrics.json`; empty if there is none.

    Raises:
        UserError: if the file cannot be read.
    """
    return read_json(run_dir / METRICS, run_dir, "Delete it and resume the run.")


def is_finite(value: Any) -> bool:
    """Return whether a value of `metrics.json` is a finite number, not missing, a list or a setting."""
    return type(value) in (int, float) and math.isfinite(value)


def read_json(path: Path, run_dir: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object from a file of a run; empty if there is no such file.

    Raises:
        UserError: if the file cannot be read. The message ends with `fix`.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(read_text(path, run_dir))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        return content
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)}). {fix}") from error


def read_config(run_dir: Path) -> dict[str, Any]:
    """Read the resolved configuration of a run, as plain containers with the current names.

    Raises:
        UserError: if there is none, it cannot be read, or it contains an interpolation, which could run code.
    """
    path = run_dir / CONFIG
    if not path.exists():
        raise UserError(f"{run_dir}: not a run directory, it has no {CONFIG}. Pass a directory under runs/.")
    config = read_yaml(path, run_dir)
    groups = [config.get(group) for group in ("model", "data", "trainer")] if isinstance(config, dict) else [None]
    is_complete = all(isinstance(group, dict) for group in groups) and isinstance(config.get("run_dir"), str)
    if not is_complete or "${" in str(config):
        raise UserError(f"{path}: not a resolved configuration as a run writes it. Restore the original file.")
    return migrate_config(config)


def read_overrides(run_dir: Path) -> list[str]:
    """Read the overrides that a run was started with, with the current names of their options.

    Raises:
        UserError: if the file is missing or cannot be read.
    """
    overrides = read_yaml(run_dir / OVERRIDES, run_dir)
    if not isinstance(overrides, list) or not all(isinstance(override, str) for override in overrides):
        raise UserError(f"{run_dir / OVERRIDES}: cannot be read (not a list of overrides). Restore the original file.")
    return [migrate_override(override) for override in overrides]


def read_yaml(path: Path, run_dir: Path) -> Any:
    """Read a YAML file of a run as plain containers, without resolving interpolations.

    Raises:
        UserError: if the file cannot be read.
    """
    with as_user_error(f"{path}: cannot be read ({{error}}). Restore the original file."):
        return parse_yaml(read_text(path, run_dir))


def is_finished(run_dir: Path) -> bool:
    """Return whether a run has finished without failure. Testing is its last step."""
    return not (run_dir / FAILURE).exists() and any(name.startswith("test/") for name in read_metrics(run_dir))
