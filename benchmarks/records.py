"""What is kept of a finished run of a table, under version control in benchmarks/results/TABLE/RUN/.

`record.json` contains the metrics of the table's columns, the settings, and where, when and how long the run was
trained; `metrics.csv` the objective during training. So the tables and their figures can be written without the runs,
and rows can be trained on several machines.
"""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

from vae_lightning.io.atomic import atomic_write
from vae_lightning.report.curves import read_curves
from vae_lightning.runs.artifacts import read_metrics

RECORD, CURVES = "record.json", "metrics.csv"
TAGS = ("train/objective", "val/objective")
MAX_POINTS = 200  # of a curve


def write_record(folder: Path, run_dir: Path, metrics: list[str], made: dict[str, Any]) -> None:
    """Write the record of a finished run.

    Args:
        folder: of the record.
        run_dir: directory of the run.
        metrics: names in metrics.json, written with their standard errors if they have one.
        made: the settings, and how the run was made.
    """
    found = read_metrics(run_dir)
    kept = {name: found[name] for metric in metrics for name in (metric, f"{metric}_se") if name in found}
    curves = read_curves(run_dir, TAGS)
    images_seen = thin(sorted(set().union(*curves.values())))
    table = StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["step", *curves])
    rows.writerows([x, *(f"{curve[x]:.6g}" if x in curve else "" for curve in curves.values())] for x in images_seen)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(table.getvalue(), folder / CURVES)
    atomic_write(json.dumps({"metrics": kept, **made}, indent=2, ensure_ascii=False) + "\n", folder / RECORD)


def thin(points: list[int]) -> list[int]:
    """Return at most MAX_POINTS of the points, evenly spaced, with the first and the last."""
    last = len(points) - 1
    n = min(len(points), MAX_POINTS)
    return [points[round(i * last / (n - 1))] for i in range(n)] if n > 1 else points


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read a record, or return None if the run has not finished on any machine."""
    path = folder / RECORD
    return json.loads(path.read_text()) if path.is_file() else None
