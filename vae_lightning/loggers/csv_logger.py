"""The CSV logger."""

import csv
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter


class CSV(CSVLogger):
    """Writes `metrics.csv` and `hparams.yaml` directly to the run directory. A resumed run continues the first.

    Args:
        run_dir: the run directory.
    """

    def __init__(self, *, run_dir: str) -> None:
        super().__init__(run_dir, name="", version="")

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer of both files."""
        if self._experiment is None:
            self._experiment = ContinuingWriter(self.log_dir)
        return self._experiment  # type: ignore[return-value]


class ContinuingWriter(ExperimentWriter):
    """Keeps the rows of an interrupted run up to the step at which it resumes; Lightning's writer deletes the file."""

    has_begun = False

    def _check_log_dir_exists(self) -> None:
        """Do nothing, instead of deleting the file."""

    def save(self) -> None:
        """Write the rows logged since the last time."""
        if self.metrics and not self.has_begun:
            self.has_begun = True
            file = Path(self.metrics_file_path)
            self.metrics = [*rows_until(self.metrics[0]["step"], file), *self.metrics]
            file.unlink(missing_ok=True)  # written as a whole below
        super().save()


def rows_until(step: float, file: Path) -> list[dict[str, Any]]:
    """Return the rows of a `metrics.csv` up to a step, without one that was cut off; none if there is no file."""
    if not file.is_file():
        return []
    with file.open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if (row["step"] or "").isdigit() and int(row["step"]) <= step]
