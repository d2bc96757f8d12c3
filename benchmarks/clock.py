"""Recording the end time and the loss of each training step of a measured process."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np

MAX_STEPS = 500_000  # more than any measurement takes; the file is sparse


class Clock(L.Callback):
    """Writes one row (seconds, loss) per training step to a file that the measuring process reads at the same time.

    A row of NaN separates epochs, so that the time between them (validation, checkpoints, figures) is left out. As a
    Lightning callback it records by itself. Plain loops call `record_step` and `start_epoch`.

    Args:
        path: the file, overwritten if it exists.
    """

    def __init__(self, path: str) -> None:
        self.rows = np.memmap(path, np.float64, "w+", shape=(MAX_STEPS, 2))
        self.n = 0

    def write(self, seconds: float, loss: float) -> None:
        """Write one row. The time comes last, since a row is valid once it has one."""
        self.rows[self.n, 1] = loss
        self.rows[self.n, 0] = seconds
        self.n += 1

    def record_step(self, loss: float) -> None:
        """Record the end of a step."""
        self.write(monotonic(), loss)

    def start_epoch(self) -> None:
        """Record the start of an epoch."""
        self.write(np.nan, np.nan)

    def on_train_epoch_start(self, *_: Any) -> None:
        """Record the start of an epoch."""
        self.start_epoch()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any) -> None:
        """Record the end of a step; the loss of a model with two optimizers is the mean of the epoch so far."""
        means: Any = outputs or pl_module.means["train"].compute(lambda sums: sums)
        self.record_step(means["loss"].item())


def monotonic() -> float:
    """Return the time of a clock that all processes of a machine share, in seconds."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def read(path: Path) -> np.ndarray:
    """Return the rows written so far, (n, 2)."""
    if not path.is_file() or path.stat().st_size < MAX_STEPS * 16:
        return np.empty((0, 2))
    rows = np.memmap(path, np.float64, "r", shape=(MAX_STEPS, 2))
    return np.array(rows[: np.argmax(rows[:, 0] == 0)])
