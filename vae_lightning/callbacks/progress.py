"""The progress of a run, on one line of a terminal or one line per epoch of a log file."""

import math
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from lightning.pytorch.callbacks import Timer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from vae_lightning.errors import check_choice
from vae_lightning.models import ELBOModule

DISPLAYS = ("auto", "rich", "plain")


class ProgressBar(LightningProgressBar):
    """Shows the epoch, the images per second, the time left of the whole run, the loss and the last validation.

    Lightning reads the values that a training step logs for the progress bar from the device after every step, which
    makes the host wait. So our training steps log nothing, and the loss is read here, `refresh_rate` times per second.

    Args:
        display: rich for one line that is drawn again and again, plain for one line per epoch, or auto for rich in a
            terminal and plain otherwise.
        refresh_rate: how often the line is drawn, per second; 0 to show nothing.
    """

    def __init__(self, *, display: str = "auto", refresh_rate: int = 4) -> None:
        super().__init__()
        self.display = check_choice("callbacks.progress_bar.display", display, DISPLAYS)
        self.refresh_rate = refresh_rate
        self.is_enabled = refresh_rate > 0
        self.line: Line | None = None  # of the terminal
        self.due = 0.0  # time of the next drawing
        self.speed = 0.0  # images per second of the current or last epoch, without its validation

    def disable(self) -> None:
        """Show nothing, as in all processes but the first."""
        self.is_enabled = False

    def enable(self) -> None:
        """Show the progress again."""
        self.is_enabled = True

    # ---------------------------------------------------------------- training

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clocks of the run and the epoch. A run that resumes in mid-epoch gets no `on_train_epoch_start`."""
        self.start, self.start_fraction = time.monotonic(), finished_fraction(trainer)
        self.on_train_epoch_start(trainer, pl_module)
        self.begin_line()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock of the epoch."""
        assert isinstance(pl_module, ELBOModule)
        self.epoch_start, self.images_before = time.monotonic(), pl_module.images_seen

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure the speed, and draw if it is time, and after the last batch of an epoch."""
        assert isinstance(pl_module, ELBOModule)
        if self.is_enabled and (self.is_due() or trainer.is_last_batch):
            seconds = time.monotonic() - self.epoch_start
            self.speed = (pl_module.images_seen - self.images_before) / max(seconds, 1e-9)
            if self.line:
                values = self.values(trainer, pl_module)
                self.line.draw(format_epoch(trainer), batch_idx + 1, self.total_train_batches, values)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the new value of the validation, or print a line."""
        if not self.is_enabled:
            return
        values = self.values(trainer, pl_module)
        if self.line:
            self.line.draw(format_epoch(trainer), 1, 1, values)
        else:
            print("  ".join([format_epoch(trainer), *values]), flush=True)

    def on_train_end(self, *_: Any) -> None:
        """End the line."""
        self.end_line()

    def values(self, trainer: L.Trainer, pl_module: L.LightningModule) -> list[str]:
        """Return the speed, the time left, the mean loss of this process in this epoch, and the last validation.

        A metric that checkpoints are selected by is shown as well, if it is another one.
        """
        assert isinstance(pl_module, ELBOModule)
        left = self.seconds_left(trainer)
        means = pl_module.means["train"].compute(lambda sums: sums)
        metrics = {"loss": means["loss"].item()} if means else {}
        shown = trainer.progress_bar_metrics
        metrics |= {name.partition("/")[0]: float(value) for name, value in shown.items()}
        for callback in trainer.checkpoint_callbacks:
            monitor = getattr(callback, "monitor", None)
            if monitor and monitor not in shown and monitor in trainer.callback_metrics:
                metrics[monitor.rpartition("/")[2]] = float(trainer.callback_metrics[monitor])
        return [
            f"{self.speed:,.0f} images/s",
            *([f"{format_time(left)} left"] if left is not None else []),
            *(f"{name} {format_number(value)}" for name, value in metrics.items()),
        ]

    def seconds_left(self, trainer: L.Trainer) -> float | None:
        """Return the time left of the whole run at its speed so far, or None if it has no end or has just begun."""
        fraction = finished_fraction(trainer)
        limits = []
        if fraction > self.start_fraction:
            seconds = time.monotonic() - self.start
            limits.append(seconds * (1 - fraction) / (fraction - self.start_fraction))
        timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # type: ignore[attr-defined]
        limits += [left for timer in timers if (left := timer.time_remaining()) is not None]
        return max(0.0, min(limits)) if limits else None

    # ---------------------------------------------------------------- validation and test

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Draw if it is time."""
        done = trainer.fit_loop.epoch_loop.val_loop.batch_progress.current.ready
        self.draw_evaluation("Validation", done, sum(trainer.num_val_batches))

    def on_test_start(self, *_: Any) -> None:
        """Begin the line."""
        self.begin_line()

    def on_test_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Draw if it is time."""
        done = trainer.test_loop.batch_progress.current.ready
        self.draw_evaluation("Test", done, sum(trainer.num_test_batches))

    def on_test_end(self, *_: Any) -> None:
        """End the line."""
        self.end_line()

    def draw_evaluation(self, description: str, done: int, total: float) -> None:
        """Draw if it is time, and after the last batch."""
        if self.line and (self.is_due() or done == total):
            self.line.draw(description, done, total)

    # ---------------------------------------------------------------- the line

    def begin_line(self) -> None:
        """Begin a line in the terminal, if there is one."""
        console = Console()
        if self.is_enabled and (self.display == "rich" or (self.display == "auto" and console.is_terminal)):
            self.line = Line(console)

    def end_line(self) -> None:
        """Leave the line as it is, and write below it from now on."""
        if self.line:
            self.line.stop()
            self.line = None

    def on_exception(self, *_: Any) -> None:
        """End the line, so that the error is below it."""
        self.end_line()

    def is_due(self) -> bool:
        """Return whether it is time to draw, and set the next time."""
        if time.monotonic() < self.due:
            return False
        self.due = time.monotonic() + 1 / self.refresh_rate
        return True


class Line(Progress):
    """A line with a description, a bar that fills the room, and values."""

    def __init__(self, console: Console) -> None:
        description, values = (
            TextColumn(f"{{task.{text}}}", table_column=Column(no_wrap=True))
            for text in ("description", "fields[values]")
        )
        super().__init__(description, BarColumn(None), values, console=console, auto_refresh=False, expand=True)
        self.task = self.add_task("", total=None, values="")
        self.start()

    def draw(self, description: str, done: int, total: float, values: list[str] | None = None) -> None:
        """Draw it, with a bar for `done` of `total` batches. The values stay as they are if there are no new ones."""
        fields: dict[str, Any] = {} if values is None else {"values": "  ".join(values)}
        batches = total if math.isfinite(total) else None
        self.update(self.task, description=description, completed=done, total=batches, refresh=True, **fields)


def finished_fraction(trainer: L.Trainer) -> float:
    """Return how much of the run is done, from 0 to 1: of its epochs or its steps, whichever ends it; 0 if neither."""
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    epochs = trainer.current_epoch + batches / max(1, trainer.num_training_batches)
    max_epochs = trainer.max_epochs or -1
    of_epochs = epochs / max_epochs if max_epochs > 0 else 0.0
    of_steps = trainer.global_step / trainer.max_steps if trainer.max_steps > 0 else 0.0
    return min(1.0, max(of_epochs, of_steps))


def format_epoch(trainer: L.Trainer) -> str:
    """Return the number of the epoch, counted from 1 as in the figures and in Lightning's `max_epochs`."""
    last = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
    return f"Epoch {trainer.current_epoch + 1}{last}"


def format_time(seconds: float) -> str:
    """Return a duration as 1:02 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_number(value: float) -> str:
    """Return a number with one decimal, two if it is small, or as 1.2e+06 if it is huge, as after divergence."""
    if abs(value) >= 1e6:
        return f"{value:.1e}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"
