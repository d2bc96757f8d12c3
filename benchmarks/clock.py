"""What a process that is measured writes down: when each training step ended, and its loss."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np

STEPS = 500_000  # more than any measurement takes; the file is sparse


class Clock(L.Callback):
    """A row (seconds, loss) for each step, in a file that the process which measures reads meanwhile.

    A row of NaN parts epochs, so that what lies between them (validation, checkpoints, figures) is left out. As a
    Lightning callback it ticks by itself; a bare loop calls `tick` and `part`.

    Args:
        path: the file, made anew.
    """

    def __init__(self, path: str) -> None:
        self.rows = np.memmap(path, np.float64, "w+", shape=(STEPS, 2))
        self.n = 0

    def write(self, seconds: float, loss: float) -> None:
        """Write one row; its time last, since a row counts when it has one."""
        self.rows[self.n, 1] = loss
        self.rows[self.n, 0] = seconds
        self.n += 1

    def tick(self, loss: float) -> None:
        """A step has ended."""
        self.write(monotonic(), loss)

    def part(self) -> None:
        """An epoch begins."""
        self.write(np.nan, np.nan)

    def on_train_epoch_start(self, *_: Any) -> None:
        """Part the epochs."""
        self.part()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any) -> None:
        """Tick."""
        self.tick(outputs["loss"].item())


def monotonic() -> float:
    """The clock that all processes of a machine share."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def read(path: Path) -> np.ndarray:
    """The rows written so far, (n, 2)."""
    if not path.is_file() or path.stat().st_size < STEPS * 16:
        return np.empty((0, 2))
    rows = np.memmap(path, np.float64, "r", shape=(STEPS, 2))
    return np.array(rows[: np.argmax(rows[:, 0] == 0)])
