"""A callback that runs name by `_target_`: it imports nothing of the tests."""

import os

import lightning as L


class SignalAt(L.Callback):
    """Send one of the processes a signal when a hook is called for the n-th time.

    Args:
        seed: do so in the run of this seed alone.
    """

    def __init__(self, hook: str, n: int, signum: int, rank: int, seed: int = 0) -> None:
        self.n, self.signum, self.rank, self.seed = n, signum, rank, seed
        setattr(self, hook, self.count)

    def count(self, trainer: L.Trainer, *_) -> None:
        self.n -= trainer.global_rank == self.rank and trainer.datamodule.seed == self.seed
        if self.n == 0:
            self.n = -1
            os.kill(os.getpid(), self.signum)
