"""Callback that test runs name by `_target_`. It imports nothing from the tests."""

import os

import lightning as L


class SignalAt(L.Callback):
    """Sends a signal to one of the processes when a hook is called for the n-th time.

    Args:
        hook: name of the hook.
        n: number of the call, starting at 1.
        signum: signal to send.
        rank: rank of the process that sends it to itself.
        seed: seed of the only run in which it is sent.
    """

    def __init__(self, hook: str, n: int, signum: int, rank: int, seed: int = 0) -> None:
        self.n, self.signum, self.rank, self.seed = n, signum, rank, seed
        setattr(self, hook, self.count)

    def count(self, trainer: L.Trainer, *_) -> None:
        self.n -= trainer.global_rank == self.rank and trainer.datamodule.seed == self.seed
        if self.n == 0:
            self.n = -1
            os.kill(os.getpid(), self.signum)
