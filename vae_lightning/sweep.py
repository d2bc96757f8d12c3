"""A sweep: what is finished is skipped, what was cut off goes on, what fails does not stop the rest."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from vae_lightning.configuration import check, leaves
from vae_lightning.errors import UserError, one_line
from vae_lightning.mistakes import explain, one_line_errors
from vae_lightning.runs import CHECKPOINTS, CONFIG, FAILURE, LAST, PREVIOUS, find_checkpoint, is_finished

NOT_COMPARED = {"run_dir", "resume", "sweep", "debug"}  # they change where a run goes and what it says, not what it is


class Sweep(Callback):
    """Hydra's hook around a multirun: all jobs are checked before the first, and the last word is which failed.

    It ends the process by `SystemExit`, since Hydra turns any other exception of a callback into a warning.
    """

    def __init__(self) -> None:
        self.before: set[tuple[Path, int]] = set()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse the whole sweep, before anything is written, for a mistake in any of its jobs."""
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


def failures(config: DictConfig) -> set[tuple[Path, int]]:
    """Each folder of the sweep whose run failed, and when, so that those of this command can be told from older ones.

    They are looked for in the folder, since a launcher may have run the jobs in other processes.
    """
    files = Path(config.hydra.sweep.dir).glob(f"*/{FAILURE}")
    return {(file.parent, file.stat().st_mtime_ns) for file in files}


def jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of each job of a grid; none for a sweeper that chooses as it goes."""
    if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        return []
    swept = [f"{name}={values}" for name, values in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*swept, *config.hydra.overrides.task])
    (grid,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    return grid


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


def job(cfg: DictConfig, run: Callable[[DictConfig], dict[str, float]]) -> None:
    """One job of a sweep: skip it, go on with it or run it; leave the reason in its folder if it fails.

    Args:
        cfg: its configuration; `run_dir` is its folder.
        run: trains and tests what a configuration says, and returns the metrics.

    Raises:
        Exception: what the run raises, with `debug=true`.
    """
    run_dir = Path(cfg.run_dir)
    try:
        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        make_room(run_dir, config)
        if is_finished(run_dir):
            print(f"finished before, skipped: {run_dir.name}", flush=True)
            return
        if any((run_dir / CHECKPOINTS / name).is_file() for name in (LAST, PREVIOUS)):
            cfg.resume = str(find_checkpoint(run_dir, preferred="last"))
            print(f"cut off before, goes on: {run_dir.name}", flush=True)
        with alone(cfg):
            refuse_divergence(run(cfg))
    except SystemExit:  # after Ctrl-C or SIGTERM
        print("the same command goes on with the sweep", flush=True)
        raise
    except Exception as error:
        if cfg.debug:
            raise
        record_failure(error, cfg)


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
        if key not in NOT_COMPARED
    }


def refuse_divergence(metrics: dict[str, float]) -> None:
    """Raise UserError when a loss has become infinite or no number: the run ended, but it failed."""
    for name in ("train/loss", "val/loss", "test/loss"):
        if not abs(metrics.get(name, 0.0)) < float("inf"):
            raise UserError(f"{name} is {metrics[name]}: the training diverged; type a lower model.optimizer.lr")


def record_failure(error: Exception, cfg: DictConfig) -> None:
    """Leave the reason in the folder, in one line; print what is no mistake of the user's with its stack trace."""
    reason = explain(error, [])
    if reason == one_line(error) and not isinstance(error, UserError):
        traceback.print_exception(error)
        reason = f"{type(error).__name__}: {reason}"
    run_dir = Path(cfg.run_dir)
    print(f"failed: {run_dir.name}: {reason}", file=sys.stderr, flush=True)
    from vae_lightning.record import save_configuration, save_text

    if not (run_dir / CONFIG).is_file():  # so that a report can say what it was that failed
        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        save_configuration(config, run_dir)
    save_text(f"{reason}\n", run_dir / FAILURE)


@contextmanager
def alone(cfg: DictConfig) -> Iterator[None]:
    """Let a job run as if it were the only one, and leave nothing of it to the next.

    Lightning's DDP starts its other processes by what was typed, in `hydra.run.dir`: here that is the one job rather
    than the sweep. It leaves variables in the environment by which the next job would take itself for such a process.
    """
    arguments, environment = sys.argv[:], dict(os.environ)
    hydra: Any = HydraConfig.get()
    resume = [f"resume='{cfg.resume}'"] if cfg.resume else []
    sys.argv[1:] = [*flags(arguments[1:]), *hydra.overrides.task, *resume, "hydra.mode=RUN"]
    with read_write(hydra), open_dict(hydra):
        hydra.run.dir = cfg.run_dir
    try:
        yield
    finally:
        sys.argv[:] = arguments
        os.environ.clear()
        os.environ.update(environment)
        free_memory()


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
