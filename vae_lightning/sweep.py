"""A sweep: what is finished is skipped, what was cut off goes on, what fails does not stop the rest."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from vae_lightning.configuration import leaves
from vae_lightning.errors import Pruned, UserError, one_line
from vae_lightning.mistakes import explain
from vae_lightning.runs import (
    CHECKPOINTS,
    CONFIG,
    FAILURE,
    LAST,
    PREVIOUS,
    PRUNED,
    find_checkpoint,
    is_finished,
    saved_metrics,
)
from vae_lightning.whole_files import write_whole

# They change where a run goes, what it says and when it is given up, not what it is.
NOT_COMPARED = ("run_dir", "resume", "sweep", "debug", "callbacks.pruning")


def job(cfg: DictConfig, run: Callable[[DictConfig], dict[str, float]]) -> float | None:
    """One job of a sweep: skip it, go on with it or run it; leave the reason in its folder if it fails or is pruned.

    Args:
        cfg: its configuration; `run_dir` is its folder.
        run: trains and tests what a configuration says, and returns the metrics.

    Returns:
        The search's objective, or the `monitor`, at the last epoch, for a sweeper that learns from it; None without.

    Raises:
        Exception: what the run raises, with `debug=true`.
    """
    run_dir = Path(cfg.run_dir)
    try:
        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        make_room(run_dir, config)
        if is_finished(run_dir):
            print(f"finished before, skipped: {run_dir.name}", flush=True)
            return objective(saved_metrics(run_dir), cfg)
        if (run_dir / PRUNED).is_file():
            print(f"pruned before, skipped: {run_dir.name}", flush=True)
            return None
        if any((run_dir / CHECKPOINTS / name).is_file() for name in (LAST, PREVIOUS)):
            cfg.resume = str(find_checkpoint(run_dir, preferred="last"))
            print(f"cut off before, goes on: {run_dir.name}", flush=True)
        report_to_search(cfg)
        with alone(cfg):
            metrics = run(cfg)
        return objective(metrics, cfg)
    except SystemExit:  # after a signal
        print("the same command goes on with the sweep", flush=True)
        raise
    except Pruned as pruned:
        print(f"pruned {pruned}: {run_dir.name}", flush=True)
        write_whole(f"{pruned}\n", run_dir / PRUNED)
    except Exception as error:
        if cfg.debug:
            raise
        record_failure(error, cfg)
    return None


def report_to_search(cfg: DictConfig) -> None:
    """Add the callback that stops a run without hope, where the sweeper is a search."""
    hydra = HydraConfig.get()
    if "objective" in hydra.sweeper:
        with open_dict(cfg.callbacks):
            cfg.callbacks.pruning = {
                "_target_": "vae_lightning.callbacks.Pruning",
                "folder": hydra.sweep.dir,
                "overrides": [override.replace("${", "\\${") for override in typed()],
                "objective": hydra.sweeper.objective,
                "pruner": hydra.sweeper.pruner,
            }


def objective(metrics: dict[str, float], cfg: DictConfig) -> float | None:
    """What a search is for; to any other sweeper the monitor, where it was logged."""
    sweeper = HydraConfig.get().sweeper
    return metrics[sweeper.objective] if "objective" in sweeper else metrics.get(cfg.monitor)


def make_room(run_dir: Path, config: dict[str, Any]) -> None:
    """Put a run of another configuration aside: its folder has the name, though it is not the run that is asked for.

    Such as one from before a file of `conf/` was changed. Nothing of it is lost.
    """
    if not (run_dir / CONFIG).is_file():
        return
    before: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(run_dir / CONFIG))  # type: ignore[assignment]
    old, new = comparable(before), comparable(config)
    different = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    if different:
        n = 1
        while (aside := run_dir.with_name(f"{run_dir.name}~{n}")).exists():
            n += 1
        run_dir.rename(aside)
        print(f"of another configuration ({', '.join(different)}), put aside: {aside.name}", flush=True)


def comparable(config: dict[str, Any]) -> dict[str, Any]:
    """What a run is: its resolved configuration, flat, without its folder, which stands in many places."""
    folder = config["run_dir"]
    return {
        key: value.replace(folder, "run_dir") if isinstance(value, str) else value
        for key, value in leaves(config)
        if not f"{key}.".startswith(tuple(f"{name}." for name in NOT_COMPARED))
    }


def record_failure(error: Exception, cfg: DictConfig) -> None:
    """Leave the reason in the folder, in one line; print what is no mistake of the user's with its stack trace."""
    reason = explain(error, [])
    if reason == one_line(error) and not isinstance(error, UserError):
        traceback.print_exception(error)
        reason = f"{type(error).__name__}: {reason}"
    run_dir = Path(cfg.run_dir)
    print(f"failed: {run_dir.name}: {reason}", file=sys.stderr, flush=True)
    if not (run_dir / CONFIG).is_file():  # so that a report can say what it was that failed
        from vae_lightning.record import save_configuration

        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        save_configuration(config, run_dir)
    write_whole(f"{reason}\n", run_dir / FAILURE)


@contextmanager
def alone(cfg: DictConfig) -> Iterator[None]:
    """Let a job run as if it were the only one, and leave nothing of it to the next.

    Lightning's DDP starts its other processes by what was typed, in `hydra.run.dir`: here that is the one job rather
    than the sweep. It leaves variables in the environment by which the next job would take itself for such a process.
    In a job of SLURM's it would count on SLURM to start those processes, and requeue the job as well as the launcher.
    """
    arguments, environment = sys.argv[:], dict(os.environ)
    os.environ.pop("SLURM_NTASKS", None)  # by which Lightning knows that it is there
    hydra: Any = HydraConfig.get()
    resume = [f"resume='{cfg.resume}'"] if cfg.resume else []
    sys.argv[1:] = [*flags(arguments[1:]), *typed(), *resume, "hydra.mode=RUN"]
    with read_write(hydra), open_dict(hydra):
        hydra.run.dir = cfg.run_dir
    try:
        yield
    finally:
        sys.argv[:] = arguments
        os.environ.clear()
        os.environ.update(environment)
        free_memory()


def typed() -> list[str]:
    """The job's overrides, their interpolations as they were typed."""
    return OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)  # type: ignore[return-value]


def flags(arguments: list[str]) -> list[str]:
    """Hydra's own flags among what was typed, such as `--config-dir conf`, but for the one that makes a sweep."""
    kept = []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        if argument.startswith("-") or previous in ("--config-dir", "-cd", "--config-path", "-cp", "--config-name"):
            kept.append(argument)
    return [argument for argument in kept if argument not in ("-m", "--multirun")]


def free_memory() -> None:
    """Give back what a job held, so that the next finds the machine as the first did."""
    gc.collect()  # a model, its trainer and its callbacks refer to each other
    if "torch" in sys.modules:
        import torch

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        torch.cuda.empty_cache()
