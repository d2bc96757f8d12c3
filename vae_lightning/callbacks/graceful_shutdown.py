"""Ctrl-C, SIGTERM and a cluster's preemption: the run stops at the end of a batch, with a checkpoint."""

import os
import signal
import threading
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint as CheckpointBase

from vae_lightning.callbacks.checkpoint import Checkpoint
from vae_lightning.callbacks.terminate_on_nan import SYNCHRONOUS_DEVICES
from vae_lightning.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PREEMPTION = getattr(signal, "SIGUSR2", -1)  # submitit's: the machine is wanted for another, or time is up


class GracefulShutdown(CheckpointBase):
    """Stop at the end of the batch in which a signal came, after the last checkpoint has been written there.

    In the last batch of an epoch and in a validation, it is when both are over: a checkpoint in between would be taken
    for that of a finished epoch. A second signal stops at once, as does any outside of training, by `Interrupted`.
    Several GPUs ask one another every `log_every_n_steps` batches, since the host waits for the answer.

    Two are different on a cluster:

    - submitit's preemption is handed on to submitit, who has the job started again, once the checkpoint is there.
    - In a job of SLURM's, SIGTERM means that it will be killed in a while. The checkpoint is written, but the run goes
      on: SLURM starts a job again that it has had to kill, and takes one that has ended by itself for done.

    It writes nothing by itself, and is a checkpoint callback only so that Lightning calls it after all others.
    A context manager: signals are caught inside it, in the main thread.
    """

    def __init__(self) -> None:
        self.waiting = False  # for the end of a batch
        self.received = 0  # the signal's number
        self.unsaved = False  # since SLURM has said that it will kill
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():
            caught = (*SIGNALS, PREEMPTION) if "SUBMITIT_EXECUTOR" in os.environ else SIGNALS
            self.before = {signum: signal.signal(signum, self.receive) for signum in caught}
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self.before.items():
            signal.signal(signum, handler)
        if self.received == PREEMPTION:
            signal.raise_signal(PREEMPTION)

    def receive(self, signum: int, frame: FrameType | None) -> None:
        """Remember the signal for the end of the batch, where there is one to wait for; else raise Interrupted."""
        if signum == signal.SIGTERM and "SLURM_JOB_ID" in os.environ and not self.unsaved:
            self.unsaved = True
            return
        again = self.received and signum != PREEMPTION
        if self.received != PREEMPTION:
            self.received = signum
        if again or not self.waiting:
            raise Interrupted(self.received)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Be ready to wait for the end of a batch."""
        self.on_test_start()
        self.waiting = True

    def on_test_start(self, *_: Any) -> None:
        """Put our handlers over those that Lightning has put over them.

        They know no end of a batch, and wait for the other processes, which nobody may have asked to stop.
        """
        for signum in self.before:
            signal.signal(signum, self.receive)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait for the end of a batch again."""
        self.waiting = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop, but not after the last batch of an epoch."""
        at_once = trainer.world_size == 1 or pl_module.device.type in SYNCHRONOUS_DEVICES
        is_time = at_once or (batch_idx + 1) % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        if is_time and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.stop_if_asked(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop; the epoch's end has been saved."""
        self.stop_if_asked(trainer)
        self.waiting = False

    def stop_if_asked(self, trainer: L.Trainer) -> None:
        """Write the last checkpoint and raise Interrupted, when any of the processes has received a signal."""
        if not trainer.strategy.reduce_boolean_decision(bool(self.received or self.unsaved), all=False):
            return
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, Checkpoint) and callback.monitor is None:
                callback.save_now(trainer)
        self.unsaved = False
        if trainer.strategy.reduce_boolean_decision(bool(self.received), all=False):
            raise Interrupted(self.received or signal.SIGTERM)
