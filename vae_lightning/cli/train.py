"""`vae-lightning train` and `python train.py`: train one run or a sweep, as Hydra composes it."""

import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_lightning.config.comparison import changed_options
from vae_lightning.config.error_reporting import report_errors
from vae_lightning.config.flags import check_flags, split_flags
from vae_lightning.config.inheritance import inherit_run
from vae_lightning.config.job_names import name_jobs
from vae_lightning.config.overrides import defer_options, expand_resume, expand_sources, normalize, place_run
from vae_lightning.config.packages import find_own_modules
from vae_lightning.config.paths import CONF_DIR
from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config
from vae_lightning.runs.layout import CONFIG, run_dir_of
from vae_lightning.sweeps.job import run_sweep_job


def main(arguments: list[str] | None = None) -> None:
    """Train what the arguments describe. Errors are printed on one line, with exit code 1.

    Args:
        arguments: Hydra's overrides and flags; by default those of the command line.
    """
    find_own_modules()
    arguments = sys.argv[1:] if arguments is None else arguments
    with report_errors("debug=true" in map(str.lower, arguments)):
        flags, overrides = split_flags(expand_sources(expand_resume(arguments)))
        check_flags(flags)
        overrides = normalize(overrides)
        is_sweep = bool({"-m", "--multirun"} & {*flags})
        if is_sweep:
            overrides = [*defer_options(overrides), *name_jobs(overrides)]
        else:
            overrides += place_run(overrides)
        # Hydra reads the arguments there, and DDP starts its other processes with them.
        sys.argv[1:] = [*flags, *overrides]
        try:
            run_hydra()
        except KeyboardInterrupt:  # while a launcher waits for jobs in other processes, or before a run handles it
            rerun = "Rerun the command to resume the sweep." if is_sweep else "Nothing was written."
            print(f"interrupted. {rerun}", file=sys.stderr)
            sys.exit(130)


@hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name="train")
def run_hydra(cfg: DictConfig) -> float | None:
    """Run what Hydra has composed: one run, or one job of a sweep, whose sweeper may use the returned value."""
    with report_errors(cfg.debug):
        inherit_run(cfg)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return run_sweep_job(cfg, run)
    with report_errors(cfg.debug):
        run(cfg)
    return None


def run(cfg: DictConfig) -> dict[str, float]:
    """Validate the configuration, then train and test; return the metrics."""
    validate_config(cfg)
    check_changes(cfg)
    check_accelerator(cfg)
    from vae_lightning.training.train import train  # takes seconds to import; configuration errors are found before

    return train(cfg)


def check_changes(cfg: DictConfig) -> None:
    """Check that a run to resume only changes options that it may, by the files in its directory.

    Its checkpoint is checked as well, but that takes seconds.

    Raises:
        UserError: if another option has changed.
    """
    run_dir = run_dir_of(Path(cfg.resume)) if cfg.resume else None
    if run_dir and (run_dir / CONFIG).is_file():
        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        changed_options(read_config(run_dir), config, run_dir)


def check_accelerator(cfg: DictConfig) -> None:
    """Check that there is a GPU if one is required, before Lightning is imported.

    Raises:
        UserError: if there is none.
    """
    accelerator = cfg.trainer.get("accelerator")
    if accelerator in ("gpu", "cuda"):
        import torch

        if not torch.cuda.is_available() and not (accelerator == "gpu" and torch.backends.mps.is_available()):
            raise UserError(f"trainer.accelerator={accelerator}: PyTorch finds no GPU. Use trainer=cpu.")
