"""Callbacks that test runs name by `_target_`, also in other processes, where a test cannot patch anything."""

import os
import signal
from pathlib import Path

import lightning as L
import torch


class RecordThreads(L.Callback):
    """Writes the number of threads of torch to a file."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def on_train_start(self, *_) -> None:
        Path(self.directory, "threads.txt").write_text(str(torch.get_num_threads()))


class PreemptOnce(L.Callback):
    """Sends the signal of a launcher to this process at the first batch of the second epoch, once per run directory."""

    def __init__(self, directory: str) -> None:
        self.mark = Path(directory, "preempted.txt")

    def on_train_batch_start(self, trainer: L.Trainer, *_) -> None:
        if trainer.current_epoch == 1 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGUSR2)


class SignalsAt(L.Callback):
    """Sends signals to this process when a hook is called for the n-th time."""

    def __init__(self, hook: str, n: int, signums: list[int]) -> None:
        self.n, self.signums = n, signums
        setattr(self, hook, self.count)

    def count(self, *_) -> None:
        self.n -= 1
        if self.n == 0:
            for signum in self.signums:
                os.kill(os.getpid(), signum)
