"""Hydra's hook around a sweep: validates all jobs before the first starts, and lists those that failed."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

import vae_lightning.sweeps.parallel  # noqa: F401 - registers the resolver of hydra/launcher=auto
from vae_lightning.config.composition import composed
from vae_lightning.config.error_reporting import report_errors
from vae_lightning.config.inheritance import inherit_run
from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError
from vae_lightning.io.shell import display_path
from vae_lightning.runs.layout import FAILURE

EXTRAS = {"auto": "joblib"}  # launcher or sweeper -> extra, if that has another name than its prefix
REQUIRED_PACKAGES = {  # extra -> module that the launcher or sweeper needs
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit": "hydra_plugins.hydra_submitit_launcher",
    "ray": "hydra_plugins.hydra_ray_launcher",
    "optuna": "optuna",
}


class SweepValidation(Callback):
    """Validate all jobs of a multirun before the first starts, and list the failed ones at the end.

    Raises `SystemExit`, since Hydra turns any other exception of a callback into a warning.
    """

    def __init__(self) -> None:
        self.before: set[tuple[Path, int]] = set()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Stop the sweep before anything is written if any of its jobs is invalid."""
        with report_errors(config.debug):
            check_plugins_installed(config)
        if not config.debug:  # with debug, the job itself raises the error with its stack trace
            with report_errors(debug=False):
                for overrides in job_overrides(config):
                    check_job(overrides)
        self.before = failures(config)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Say how to look at the sweep. If jobs failed during this command, list them and exit with code 1."""
        if failed := sorted(folder for folder, _ in failures(config) - self.before):
            reasons = [f"  {folder.name}: {(folder / FAILURE).read_text().strip()}" for folder in failed]
            several = "1 job failed" if len(failed) == 1 else f"{len(failed)} jobs failed"
            sys.exit("\n".join([f"error: {several}. Rerun the command to try again.", *reasons]))
        print(f"report     vae-lightning report {display_path(Path(config.hydra.sweep.dir))}")


def check_plugins_installed(config: DictConfig) -> None:
    """Check that the package that the launcher or the sweeper needs is installed.

    Raises:
        UserError: if it is not.
    """
    for group in ("hydra/launcher", "hydra/sweeper"):
        choice = config.hydra.runtime.choices[group]
        prefix = str(choice).partition("_")[0]
        extra = EXTRAS.get(prefix, prefix)
        if extra in REQUIRED_PACKAGES and not find_spec(REQUIRED_PACKAGES[extra]):
            raise UserError(f"{group}={choice}: is not installed. Run pip install 'vae-lightning[{extra}]'.")


def failures(config: DictConfig) -> set[tuple[Path, int]]:
    """Return the directory of each failed run of the sweep, and the time of its failure, to find the new ones.

    Read from the directory, since a launcher may have run the jobs in other processes.
    """
    files = Path(config.hydra.sweep.dir).glob(f"*/{FAILURE}")
    return {(file.parent, file.stat().st_mtime_ns) for file in files}


def job_overrides(config: DictConfig) -> list[list[str]]:
    """Return the overrides of each job of a grid; of a search, jobs with every choice and both ends of intervals."""
    swept = [f"{name}={values}" for name, values in (config.hydra.sweeper.get("params") or {}).items()]
    typed: list[str] = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # type: ignore[assignment]
    overrides = OverridesParser.create().parse_overrides([*swept, *typed])
    if config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        (grid,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
        return grid
    choices = {override.get_key_element(): boundary_values(override) for override in overrides}
    most = max(map(len, choices.values()), default=0)
    return [[f"{name}={values[min(n, len(values) - 1)]}" for name, values in choices.items()] for n in range(most)]


def boundary_values(override: Override) -> list[Any]:
    """Return all values of an override, or the ends of an interval."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [value.start, value.end]
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return [override.get_value_element_as_str()]


def check_job(overrides: list[str]) -> None:
    """Compose the configuration of one job and validate it; raises the errors of both."""
    with composed([*overrides, "run_dir=unknown"]) as cfg:
        inherit_run(cfg)
        validate_config(cfg)
