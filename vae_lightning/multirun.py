"""Before and after all jobs of a sweep: their values are checked, and those that failed are named."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from vae_lightning.configuration import check
from vae_lightning.errors import UserError
from vae_lightning.mistakes import one_line_errors
from vae_lightning.runs import FAILURE

REQUIRED = {  # by a launcher or a sweeper whose name begins so, and by an extra of that name
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit": "hydra_plugins.hydra_submitit_launcher",
    "ray": "hydra_plugins.hydra_ray_launcher",
    "optuna": "optuna",
}


class Sweep(Callback):
    """Hydra's hook around a multirun: all jobs are checked before the first, and the last word is which failed.

    It ends the process by `SystemExit`, since Hydra turns any other exception of a callback into a warning.
    """

    def __init__(self) -> None:
        self.before: set[tuple[Path, int]] = set()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse the whole sweep, before anything is written, for a mistake in any of its jobs."""
        with one_line_errors(config.debug):
            refuse_missing(config)
        if not config.debug:  # then the job itself raises it, with its stack trace
            with one_line_errors(debug=False):
                for overrides in jobs(config):
                    check_job(overrides)
        self.before = failures(config)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Exit with code 1, naming the jobs that failed, if any did in this command."""
        if failed := sorted(folder for folder, _ in failures(config) - self.before):
            reasons = [f"  {folder.name}: {(folder / FAILURE).read_text().strip()}" for folder in failed]
            several = "1 job failed" if len(failed) == 1 else f"{len(failed)} jobs failed"
            sys.exit("\n".join([f"error: {several}; the same command tries again", *reasons]))


def refuse_missing(config: DictConfig) -> None:
    """Raise UserError when the launcher or the sweeper needs a package that is not there."""
    for group in ("hydra/launcher", "hydra/sweeper"):
        choice = config.hydra.runtime.choices[group]
        extra = str(choice).partition("_")[0]
        if extra in REQUIRED and not find_spec(REQUIRED[extra]):
            raise UserError(f"{group}={choice}: is not installed; type pip install '.[{extra}]'")


def failures(config: DictConfig) -> set[tuple[Path, int]]:
    """Each folder of the sweep whose run failed, and when, so that those of this command can be told from older ones.

    They are looked for in the folder, since a launcher may have run the jobs in other processes.
    """
    files = Path(config.hydra.sweep.dir).glob(f"*/{FAILURE}")
    return {(file.parent, file.stat().st_mtime_ns) for file in files}


def jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of each job of a grid; of a search, jobs that have every choice and both ends of every interval."""
    swept = [f"{name}={values}" for name, values in (config.hydra.sweeper.get("params") or {}).items()]
    typed: list[str] = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # type: ignore[assignment]
    overrides = OverridesParser.create().parse_overrides([*swept, *typed])
    if config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        (grid,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
        return grid
    choices = {override.get_key_element(): extremes(override) for override in overrides}
    most = max(map(len, choices.values()), default=0)
    return [[f"{name}={values[min(n, len(values) - 1)]}" for name, values in choices.items()] for n in range(most)]


def extremes(override: Override) -> list[Any]:
    """All values that can be listed, or the ends of an interval."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [value.start, value.end]
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return [override.get_value_element_as_str()]


def check_job(overrides: list[str]) -> None:
    """Compose one job's configuration and check its values; raise as both do."""
    cfg = compose("train", [*overrides, "run_dir=unknown"], return_hydra_config=True)
    try:
        HydraConfig.instance().set_config(cfg)  # `${hydra:...}` in the configuration asks it
        with open_dict(cfg):
            del cfg["hydra"]
        check(cfg)
    finally:
        HydraConfig.instance().cfg = None
