"""Callbacks for runs in this process, and in others, which a test cannot patch."""

import os
import signal
from pathlib import Path

import lightning as L
import torch


class Threads(L.Callback):
    """Write down how many threads torch has."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def on_train_start(self, *_) -> None:
        Path(self.folder, "threads.txt").write_text(str(torch.get_num_threads()))


class PreemptedOnce(L.Callback):
    """Send this process a launcher's signal at the start of a batch of the second epoch, but not again after that."""

    def __init__(self, folder: str) -> None:
        self.mark = Path(folder, "preempted.txt")

    def on_train_batch_start(self, trainer: L.Trainer, *_) -> None:
        if trainer.current_epoch == 1 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGUSR2)


class SignalsAt(L.Callback):
    """Send this process signals when a hook is called for the n-th time."""

    def __init__(self, hook: str, n: int, signums: list[int]) -> None:
        self.n, self.signums = n, signums
        setattr(self, hook, self.count)

    def count(self, *_) -> None:
        self.n -= 1
        if self.n == 0:
            for signum in self.signums:
                os.kill(os.getpid(), signum)
