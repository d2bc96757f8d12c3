"""Lightning's DDP with a watchdog that reports the loss of a process and leaves none behind."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from vae_lightning.errors import Interrupted, UserError
from vae_lightning.io.console import display_path, train_command
from vae_lightning.runs.layout import has_resumable_checkpoint

PARENT_VARIABLE = "VAE_LIGHTNING_PARENT"  # environment variable with the process ID of the parent
POLL_SECONDS = 1.0  # between two checks of the other processes
COLLECTIVE_GRACE_SECONDS = 20.0  # for a process to leave its collective by itself when another one is lost


class WatchdogDDPStrategy(DDPStrategy):
    """One process per device. If one ends unexpectedly, all end, with a one-line message.

    It searches for unused parameters only for models with two optimizers, each of which skips the parameters of the
    other, since the search traverses the graph in each step.

    Args:
        **options: arguments of Lightning's `DDPStrategy`.
    """

    def configure_ddp(self) -> None:
        """Wrap the model."""
        assert self.lightning_module is not None
        several = not self.lightning_module.automatic_optimization
        self._ddp_kwargs.setdefault("find_unused_parameters", several)
        super().configure_ddp()

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = WatchdogLauncher(self.cluster_environment, self.num_processes, self.num_nodes)


class WatchdogLauncher(_SubprocessScriptLauncher):
    """Starts the other processes on this machine and watches them, as they watch this one.

    Lightning's launcher kills this process silently, and with it a whole sweep. Processes started by torchrun or SLURM
    are watched by these.
    """

    def launch(self, function: Callable[..., Any], *args: Any, trainer: L.Trainer | None = None, **kwargs: Any) -> Any:
        """Call a function here and, by running the same command, in each other process.

        Raises:
            UserError: if another process has ended unexpectedly.
        """
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            os.environ[PARENT_VARIABLE] = str(os.getpid())
            self._call_children_scripts()
        _set_num_threads_if_needed(self.num_processes)
        run_dir = Path(trainer.default_root_dir) if trainer else Path()
        over = threading.Event()
        threading.Thread(target=self.watch, args=(run_dir, over), daemon=True).start()
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            lost = None if isinstance(error, UserError | Interrupted) else self.find_dead_process(wait=POLL_SECONDS)
            self.kill_children()
            if lost:
                raise UserError(f"{lost}. {resume_hint(run_dir)}") from error
            raise
        finally:
            over.set()

    def watch(self, run_dir: Path, over: threading.Event) -> None:
        """End this process if another one is lost, which a collective would wait for forever."""
        while not over.wait(POLL_SECONDS):
            if (lost := self.find_dead_process()) and not over.wait(COLLECTIVE_GRACE_SECONDS):
                print(f"error: {lost}. {resume_hint(run_dir)}", file=sys.stderr, flush=True)
                self.kill_children()
                os._exit(1)

    def find_dead_process(self, wait: float = 0.0) -> str | None:
        """Return how a process has ended; None if all are running, or others watch them.

        Args:
            wait: seconds to wait for one to end, since its connections are closed a moment before.
        """
        end = time.monotonic() + wait
        while True:
            if os.environ.get(PARENT_VARIABLE, str(os.getpid())) not in (str(os.getpid()), str(os.getppid())):
                return f"process 0 of {self.num_processes} is gone"
            for rank, process in enumerate(self.procs, 1):
                if code := process.poll():
                    how = f"ended with code {code}" if code > 0 else f"was killed by {signal.Signals(-code).name}"
                    return f"process {rank} of {self.num_processes} {how}"
            if time.monotonic() > end:
                return None
            time.sleep(0.01)

    def kill_children(self) -> None:
        """Kill the processes that this one has started. They have nothing to save."""
        for process in self.procs:
            process.kill()
            process.wait()


def resume_hint(run_dir: Path) -> str:
    """Return how to resume."""
    if has_resumable_checkpoint(run_dir):
        return f"Resume from the last checkpoint with {train_command()} resume={display_path(run_dir)}"
    return "No checkpoint had been written. Start a new run."
