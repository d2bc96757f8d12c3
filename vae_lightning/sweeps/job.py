"""One job of a sweep: skipped if finished, resumed if interrupted, and harmless to the others if it fails."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from vae_lightning.config.comparison import LIMITS, config_identity, differences, trains_longer
from vae_lightning.config.error_reporting import format_error
from vae_lightning.config.flags import split_flags
from vae_lightning.errors import TrialPruned, UserError, one_line
from vae_lightning.io.atomic import atomic_write
from vae_lightning.runs.artifacts import is_finished, read_config, read_metrics
from vae_lightning.runs.layout import CONFIG, FAILURE, PRUNED, find_checkpoint, has_resumable_checkpoint
from vae_lightning.runs.locking import RunInUse


def run_sweep_job(cfg: DictConfig, run: Callable[[DictConfig], dict[str, float]]) -> float | None:
    """Skip, resume or start a job of a sweep. If it fails or is pruned, write the reason to its directory.

    Args:
        cfg: the configuration of the job, with its directory in `run_dir`.
        run: trains and tests a configuration and returns the metrics.

    Returns:
        The objective of the search, or else the monitor, at the last epoch, for sweepers that use it; None if there is
        no such value.

    Raises:
        Exception: any error of the run, if `debug=true`.
    """
    try:
        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        run_dir = find_job_dir(Path(cfg.run_dir), config)
        cfg.run_dir = str(run_dir)
        is_extended = (run_dir / CONFIG).is_file() and trains_longer(read_config(run_dir), config)
        if is_finished(run_dir) and not is_extended:
            print(f"skipping finished run: {run_dir.name}", flush=True)
            return objective(read_metrics(run_dir), cfg)
        if (run_dir / PRUNED).is_file() and not is_extended:
            print(f"skipping pruned run: {run_dir.name}", flush=True)
            return None
        if has_resumable_checkpoint(run_dir):
            cfg.resume = str(find_checkpoint(run_dir, preferred="last"))
            print(f"{'extending' if is_extended else 'resuming interrupted'} run: {run_dir.name}", flush=True)
        add_pruning(cfg)
        with isolated_job(cfg):
            metrics = run(cfg)
        return objective(metrics, cfg)
    except SystemExit:  # after a signal
        print("Rerun the command to resume the sweep.", flush=True)
        raise
    except TrialPruned as pruned:
        print(f"pruned {pruned}: {Path(cfg.run_dir).name}", flush=True)
        atomic_write(f"{pruned}\n", Path(cfg.run_dir) / PRUNED)
    except RunInUse:
        print(f"skipping job that another process runs: {Path(cfg.run_dir).name}", flush=True)
    except Exception as error:
        if cfg.debug:
            raise
        record_failure(error, cfg)
    return None


def add_pruning(cfg: DictConfig) -> None:
    """Add the callback that stops unpromising runs, if the sweeper is a search."""
    hydra = HydraConfig.get()
    if "objective" in hydra.sweeper:
        with open_dict(cfg.callbacks):
            cfg.callbacks.pruning = {
                "_target_": "vae_lightning.callbacks.Pruning",
                "folder": hydra.sweep.dir,
                "overrides": [override.replace("${", "\\${") for override in task_overrides()],
                "objective": hydra.sweeper.objective,
                "pruner": hydra.sweeper.pruner,
            }


def objective(metrics: dict[str, float], cfg: DictConfig) -> float | None:
    """Return the objective of a search; for any other sweeper the monitor, if it was logged."""
    sweeper = HydraConfig.get().sweeper
    return metrics[sweeper.objective] if "objective" in sweeper else metrics.get(cfg.monitor)


def find_job_dir(run_dir: Path, config: dict[str, Any]) -> Path:
    """Return the directory of the run that a job describes.

    It is the directory of the job's name, if that has no run or one that the job may extend. It is another directory of
    the sweep if the same run was started there, since names depend on which options the command sweeps. If the job's
    directory has a run with a different configuration, such as before an edit of `conf/`, that is archived: renamed.
    """
    identity = config_identity(config)
    exists = (run_dir / CONFIG).is_file()
    different = differing_options(run_dir, identity) - {*LIMITS} if exists else set()
    if exists and not different:
        return run_dir
    for file in run_dir.parent.glob(f"*/{CONFIG}"):
        sibling = file.parents[1]
        is_limit_swept = any(limit in run_dir.name + sibling.name for limit in LIMITS)
        with suppress(UserError):  # a damaged file
            if differing_options(sibling, identity) <= (set() if is_limit_swept else {*LIMITS}):
                with suppress(OSError):
                    run_dir.rmdir()  # Hydra has created it
                return sibling
    if exists:
        n = 1
        while (aside := run_dir.with_name(f"{run_dir.name}~{n}")).exists():
            n += 1
        run_dir.rename(aside)
        options = ", ".join(sorted(different))
        print(f"archiving run with a different configuration ({options}) as {aside.name}", flush=True)
    return run_dir


def differing_options(run_dir: Path, identity: dict[str, Any]) -> set[str]:
    """Return the options in which a run differs from the identity of another one."""
    return set(differences(read_identity(run_dir, (run_dir / CONFIG).stat().st_mtime_ns), identity))


@cache
def read_identity(run_dir: Path, mtime_ns: int) -> dict[str, Any]:
    """Return the identity of a run. Cached, since each job of a sweep compares itself with the runs of all others."""
    return config_identity(read_config(run_dir))


def record_failure(error: Exception, cfg: DictConfig) -> None:
    """Write the reason to the directory, on one line; print the stack trace of an error that is not the user's."""
    reason = format_error(error, [])
    if reason == one_line(error) and not isinstance(error, UserError):
        traceback.print_exception(error)
        reason = f"{type(error).__name__}: {reason}"
    run_dir = Path(cfg.run_dir)
    print(f"failed: {run_dir.name}: {reason}", file=sys.stderr, flush=True)
    if not (run_dir / CONFIG).is_file():  # so that a report can show what failed
        from vae_lightning.runs.recording import save_configuration

        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        save_configuration(config, run_dir)
    atomic_write(f"{reason}\n", run_dir / FAILURE)


@contextmanager
def isolated_job(cfg: DictConfig) -> Iterator[None]:
    """Run a job as if it were the only one, and restore arguments, environment and memory afterwards.

    - Lightning's DDP starts its other processes with the command line, in `hydra.run.dir`. Here both describe this job
      instead of the sweep.
    - DDP leaves environment variables that would make the next job believe that it is such a process.
    - Inside a SLURM job Lightning would expect SLURM to start the processes, and would requeue the job just like the
      launcher does.
    """
    arguments, environment = sys.argv[:], dict(os.environ)
    os.environ.pop("SLURM_NTASKS", None)  # how Lightning detects SLURM
    hydra: Any = HydraConfig.get()
    resume = [f"resume='{cfg.resume}'"] if cfg.resume else []
    flags = [flag for flag in split_flags(arguments[1:])[0] if flag not in ("-m", "--multirun")]
    sys.argv[1:] = [*flags, *task_overrides(), *resume, "hydra.mode=RUN"]
    with read_write(hydra), open_dict(hydra):
        hydra.run.dir = cfg.run_dir
    try:
        yield
    finally:
        sys.argv[:] = arguments
        os.environ.clear()
        os.environ.update(environment)
        free_memory()


def task_overrides() -> list[str]:
    """Return the overrides of the job, with unresolved interpolations."""
    return OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)  # type: ignore[return-value]


def free_memory() -> None:
    """Release the memory and the process group of a job."""
    gc.collect()  # a model, its trainer and its callbacks reference each other
    if "torch" in sys.modules:
        import torch

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        torch.cuda.empty_cache()
