"""Lightning's DDP with a watchdog: if a process dies, all others are ended and the cause is printed."""

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

from vae_lightning.config.replay import resume_command
from vae_lightning.errors import Interrupted, UserError
from vae_lightning.runs.layout import has_resumable_checkpoint

PARENT_VARIABLE = "VAE_LIGHTNING_PARENT"  # environment variable with the process ID of the parent
POLL_SECONDS = 1.0  # interval between checks of the other processes
COLLECTIVE_GRACE_SECONDS = 20.0  # for a process to leave its collective on its own after another one has died


class WatchdogDDPStrategy(DDPStrategy):
    """DDP in which all processes end, with a one-line error, if one of them ends unexpectedly.

    `find_unused_parameters` is enabled only for models with two optimizers, where a step of one leaves the parameters
    of the other unused. It traverses the graph in every step.

    Args:
        **options: arguments of Lightning's `DDPStrategy`.
    """

    def configure_ddp(self) -> None:
        """Wrap the model in `DistributedDataParallel`."""
        assert self.lightning_module is not None
        has_two_optimizers = not self.lightning_module.automatic_optimization
        self._ddp_kwargs.setdefault("find_unused_parameters", has_two_optimizers)
        super().configure_ddp()

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = WatchdogLauncher(self.cluster_environment, self.num_processes, self.num_nodes)


class WatchdogLauncher(_SubprocessScriptLauncher):
    """Starts the other processes on this machine and watches them. They watch this one in turn.

    Lightning's own launcher would kill this process without a message, and the whole sweep with it. torchrun and SLURM
    watch the processes that they start.
    """

    def launch(self, function: Callable[..., Any], *args: Any, trainer: L.Trainer | None = None, **kwargs: Any) -> Any:
        """Call a function in this process, and in each other process by running the same command there.

        Raises:
            UserError: if another process has ended unexpectedly.
        """
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            os.environ[PARENT_VARIABLE] = str(os.getpid())
            self._call_children_scripts()
        _set_num_threads_if_needed(self.num_processes)
        run_dir = Path(trainer.default_root_dir) if trainer else Path()
        done = threading.Event()
        threading.Thread(target=self.watch, args=(run_dir, done), daemon=True).start()
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            death = None if isinstance(error, UserError | Interrupted) else self.find_dead_process(wait=POLL_SECONDS)
            self.kill_children()
            if death:
                raise UserError(f"{death}. {resume_hint(run_dir)}") from error
            raise
        finally:
            done.set()

    def watch(self, run_dir: Path, done: threading.Event) -> None:
        """End this process if another one has died, since a collective would wait for it forever."""
        while not done.wait(POLL_SECONDS):
            if (death := self.find_dead_process()) and not done.wait(COLLECTIVE_GRACE_SECONDS):
                print(f"error: {death}. {resume_hint(run_dir)}", file=sys.stderr, flush=True)
                self.kill_children()
                os._exit(1)

    def find_dead_process(self, wait: float = 0.0) -> str | None:
        """Return which process has ended and how, or None if all are running or another launcher watches them.

        Args:
            wait: seconds to wait for a process to end, since its connections close a moment before it does.
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
        """Kill the processes that this one started. They have nothing to save."""
        for process in self.procs:
            process.kill()
            process.wait()


def resume_hint(run_dir: Path) -> str:
    """Return the command that resumes the run, or the advice to start a new run if it has no checkpoint."""
    if has_resumable_checkpoint(run_dir):
        return f"Resume from the last checkpoint with {resume_command(run_dir)}"
    return "No checkpoint had been written. Start a new run."
