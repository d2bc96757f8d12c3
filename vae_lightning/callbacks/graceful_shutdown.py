"""Stopping at the end of a batch, with a checkpoint, after Ctrl-C, SIGTERM or a preemption on a cluster."""

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
PREEMPTION = getattr(signal, "SIGUSR2", -1)  # submitit's signal for preemption and timeout


class GracefulShutdown(CheckpointBase):
    """Stops at the end of the current batch after a signal, once the last checkpoint has been written.

    During the last batch of an epoch and during validation, it stops when both are over, since Lightning would treat a
    checkpoint in between as that of a finished epoch. With gradient accumulation, it stops after a step of the
    optimizer, since a checkpoint has no gradients. A second signal, or one outside of training, raises `Interrupted`
    immediately. With several GPUs, processes exchange signals every `log_every_n_steps` batches, since this makes the
    host wait.

    Two cases differ on a cluster:

    - submitit's preemption signal is passed on to submitit, which requeues the job, once the checkpoint has been
      written.
    - In a SLURM job, SIGTERM means that the job will be killed soon. The checkpoint is written, but the run continues:
      SLURM requeues a job that it had to kill, but treats one that exits as done.

    It is a checkpoint callback only to be called after all others; it saves through `Checkpoint`. It is also a context
    manager, inside which signals are handled, in the main thread.
    """

    def __init__(self) -> None:
        self.waiting = False  # for the end of a batch
        self.received = 0  # number of the signal
        self.unsaved = False  # since SLURM announced that it will kill the job
        self.previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():
            caught = (*SIGNALS, PREEMPTION) if "SUBMITIT_EXECUTOR" in os.environ else SIGNALS
            self.previous_handlers = {signum: signal.signal(signum, self.receive) for signum in caught}
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self.previous_handlers.items():
            signal.signal(signum, handler)
        if self.received == PREEMPTION:
            signal.raise_signal(PREEMPTION)

    def receive(self, signum: int, frame: FrameType | None) -> None:
        """Record the signal for the end of the batch, or raise `Interrupted` if there is no batch to wait for."""
        if signum == signal.SIGTERM and "SLURM_JOB_ID" in os.environ and not self.unsaved:
            self.unsaved = True
            return
        repeated = self.received and signum != PREEMPTION
        if self.received != PREEMPTION:
            self.received = signum
        if repeated or not self.waiting:
            raise Interrupted(self.received)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start waiting for the end of a batch on signals."""
        self.on_test_start()
        self.waiting = True

    def on_test_start(self, *_: Any) -> None:
        """Restore our handlers, which Lightning has replaced.

        Lightning's do not wait for the end of a batch, and wait for other processes, which may not have been signaled.
        """
        for signum in self.previous_handlers:
            signal.signal(signum, self.receive)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait for the end of a batch again."""
        self.waiting = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop if signaled, but not after the last batch of an epoch."""
        is_cheap = trainer.world_size == 1 or pl_module.device.type in SYNCHRONOUS_DEVICES
        is_time = is_cheap or (batch_idx + 1) % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        has_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if is_time and has_stepped and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.stop_if_signaled(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop if signaled; the end of the epoch has been saved."""
        self.stop_if_signaled(trainer)
        self.waiting = False

    def stop_if_signaled(self, trainer: L.Trainer) -> None:
        """Write the last checkpoint and raise `Interrupted` if any process has received a signal."""
        if not trainer.strategy.reduce_boolean_decision(bool(self.received or self.unsaved), all=False):
            return
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, Checkpoint) and callback.monitor is None:
                callback.save_now(trainer)
        self.unsaved = False
        if trainer.strategy.reduce_boolean_decision(bool(self.received), all=False):
            raise Interrupted(self.received or signal.SIGTERM)
