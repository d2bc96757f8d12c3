"""A tidy table of all runs, and a table of their means over seeds."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from vae_lightning.io.escaping import escape_spreadsheet
from vae_lightning.report.collect import ReportedRun, Value

FIRST_COLUMNS = ("model", "data", "latent_dim", "beta")
RUN_COLUMNS = ("name", "model", "data", "latent_dim")  # of a table of runs, also if they are equal in all of them
CONFIDENCE = 0.95


@dataclass
class Group:
    """Finished runs that differ only in their seed.

    Attributes:
        options: the options that differ between groups, by column.
        runs: the runs.
    """

    options: dict[str, Value]
    runs: list[ReportedRun]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the seeds; NaN if no run has it."""
        values = self.values(metric)
        return float(np.mean(values)) if values else math.nan

    def std(self, metric: str) -> float:
        """Return the standard deviation of a metric over the seeds, with n - 1; NaN for fewer than two runs."""
        values = self.values(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def half_width(self, metric: str) -> float:
        """Return the half-width of the 95% confidence interval of the mean; NaN for fewer than two runs."""
        return half_width(self.values(metric))

    def values(self, metric: str) -> list[float]:
        """Return a metric of each run that has it."""
        return [run.metrics[metric] for run in self.runs if metric in run.metrics]

    def label(self, exclude: Iterable[str] = ()) -> str:
        """Return the name of the group, such as `BetaVAE, beta = 4`, without some of its options."""
        shown = {k: v for k, v in self.options.items() if k not in set(exclude) and v is not None}
        return ", ".join(str(v) if k in ("model", "data", "name") else f"{k} = {v}" for k, v in shown.items())


def half_width(values: Sequence[float]) -> float:
    """Return the half-width of the 95% confidence interval of a mean, t(0.975, n - 1) s / √n.

    It is NaN for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return math.nan
    return float(t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))


def varying_options(runs: Sequence[ReportedRun]) -> list[str]:
    """Return the options that differ among runs, except the seed, its copies and redundant options.

    An option is redundant if its values correspond one-to-one to those of an earlier option, as the name of a run does
    to its model. `prior_of` names the run that all options of its autoencoder come from.
    """
    keys = dict.fromkeys([*FIRST_COLUMNS, *(key for run in runs for key in run.options)])
    seeds = [run.options.get("seed") for run in runs]
    rest = [key for key in keys if key not in ("seed", "name") and not key.startswith("autoencoder.")]
    chosen: dict[str, list[Value]] = {}
    for key in [*rest, "name"]:
        values = [run.options.get(key) for run in runs]
        if key.endswith(".seed") and values == seeds:
            continue
        if len(set(values)) > 1 and not any(one_to_one(values, earlier) for earlier in chosen.values()):
            chosen[key] = values
    return list(chosen)


def one_to_one(a: Sequence[Value], b: Sequence[Value]) -> bool:
    """Return whether the values of two lists correspond one-to-one."""
    return len(set(a)) == len(set(b)) == len(set(zip(a, b, strict=True)))


def group_runs(runs: Sequence[ReportedRun], columns: Sequence[str]) -> list[Group]:
    """Group the finished runs by the values in some columns, sorted by these values."""
    groups: dict[tuple[Value, ...], Group] = {}
    for run in runs:
        if run.state == "finished":
            options = {column: run.options.get(column) for column in columns}
            groups.setdefault(tuple(options.values()), Group(options, [])).runs.append(run)
    return [groups[key] for key in sorted(groups, key=lambda key: [sort_key(value) for value in key])]


def sort_key(value: Value) -> tuple[bool, float, str]:
    """Return a key that sorts numbers by value, before text, before None."""
    number = isinstance(value, int | float)
    return value is None, float(value) if number else math.inf, str(value)  # type: ignore[arg-type]


def run_rows(runs: Sequence[ReportedRun], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row per run: `RUN_COLUMNS`, the given columns, seed, state, all metrics, directory and command.

    All rows have the same keys.
    """
    options = dict.fromkeys([*RUN_COLUMNS, *columns])
    names = sorted({name for run in runs for name in run.metrics})
    return [
        {
            **{column: run.options.get(column) for column in options},
            "seed": run.options.get("seed"),
            "state": run.state,
            "reason": run.reason,
            **{name: run.metrics.get(name) for name in names},
            "folder": run.name,
            "command": run.command,
        }
        for run in runs
    ]


def summary_rows(groups: Sequence[Group], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row per group and metric: the number of runs, mean, standard deviation and 95% confidence interval.

    The last two require two runs.
    """
    rows = []
    for group in groups:
        for metric in metrics:
            if n := len(group.values(metric)):
                mean, half = group.mean(metric), group.half_width(metric)
                spread = {"std": group.std(metric), "low": mean - half, "high": mean + half}
                shown = spread if n > 1 else dict.fromkeys(spread)
                rows.append({**group.options, "metric": metric, "runs": n, "mean": mean, **shown})
    return rows


def save_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows as CSV, and also as Parquet if pyarrow is installed. Missing values are empty cells.

    In the CSV file, text that a spreadsheet would run as a formula starts with an apostrophe.
    """
    names = list(rows[0]) if rows else []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(map(escape_spreadsheet, names))
        writer.writerows([escape_spreadsheet(row[name]) for name in names] for row in rows)
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    for name, values in columns.items():  # Parquet needs one type per column
        if len({type(value) for value in values if value is not None} - {int, float}) and not all(
            isinstance(value, str | None) for value in values
        ):
            columns[name] = [None if value is None else str(value) for value in values]
    pyarrow.parquet.write_table(pyarrow.table(columns), path.with_suffix(".parquet"))
