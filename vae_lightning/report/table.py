"""One tidy table of all runs, and their means over seeds."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from vae_lightning.report.collect import Run, Value

FIRST = ("model", "data", "latent_dim", "beta")  # the columns that a reader looks for first
CONFIDENCE = 0.95


@dataclass
class Group:
    """Runs that differ in their seed alone.

    Attributes:
        options: what tells it from the other groups, by column.
        runs: the finished ones of it.
    """

    options: dict[str, Value]
    runs: list[Run]

    def mean(self, metric: str) -> float:
        """The mean of a metric over the seeds; NaN where no run has it."""
        values = self.values(metric)
        return float(np.mean(values)) if values else math.nan

    def half_width(self, metric: str) -> float:
        """Half of the 95% interval of the mean, by Student's t; NaN for fewer than two runs."""
        return half_width(self.values(metric))

    def values(self, metric: str) -> list[float]:
        """A metric of each run that has it."""
        return [run.metrics[metric] for run in self.runs if metric in run.metrics]

    def label(self, without: Iterable[str] = ()) -> str:
        """`BetaVAE, beta = 4`: the group in a legend, but for some columns."""
        shown = {k: v for k, v in self.options.items() if k not in set(without) and v is not None}
        return ", ".join(str(v) if k in ("model", "data", "name") else f"{k} = {v}" for k, v in shown.items())


def half_width(values: Sequence[float]) -> float:
    """Half of the 95% interval of a mean, t(0.975, n - 1) s / √n; NaN for fewer than two values."""
    n = len(values)
    if n < 2:
        return math.nan
    return float(t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))


def varying(runs: Sequence[Run]) -> list[str]:
    """The options that differ among runs, without the seed, its copies, and those that follow from an earlier one.

    An option follows where each of its values goes with one value of the other and the reverse, such as the name with
    the model.
    """
    keys = dict.fromkeys([*FIRST, *(key for run in runs for key in run.options)])
    seeds = [run.options.get("seed") for run in runs]
    rest = [key for key in keys if key not in ("seed", "name")]
    chosen: dict[str, list[Value]] = {}
    for key in [*rest, "name"]:
        values = [run.options.get(key) for run in runs]
        if key.endswith(".seed") and values == seeds:
            continue
        if len(set(values)) > 1 and not any(one_to_one(values, earlier) for earlier in chosen.values()):
            chosen[key] = values
    return list(chosen)


def one_to_one(a: Sequence[Value], b: Sequence[Value]) -> bool:
    """Whether either list says as much as the other."""
    return len(set(a)) == len(set(b)) == len(set(zip(a, b, strict=True)))


def grouped(runs: Sequence[Run], columns: Sequence[str]) -> list[Group]:
    """The finished runs by what differs but for the seed, in the order of the columns."""
    groups: dict[tuple[Value, ...], Group] = {}
    for run in runs:
        if run.state == "finished":
            options = {column: run.options.get(column) for column in columns}
            groups.setdefault(tuple(options.values()), Group(options, [])).runs.append(run)
    return [groups[key] for key in sorted(groups, key=lambda key: [sortable(value) for value in key])]


def sortable(value: Value) -> tuple[bool, float, str]:
    """Numbers by their size, before words, before nothing."""
    number = isinstance(value, int | float)
    return value is None, float(value) if number else math.inf, str(value)  # type: ignore[arg-type]


def tidy(runs: Sequence[Run], columns: Sequence[str]) -> list[dict[str, Any]]:
    """A row a run, all with the same columns: what differs, the seed, the state, every number, the folder."""
    names = sorted({name for run in runs for name in run.metrics})
    return [
        {
            **{column: run.options.get(column) for column in columns},
            "seed": run.options.get("seed"),
            "state": run.state,
            "reason": run.reason,
            **{name: run.metrics.get(name) for name in names},
            "folder": run.name,
            "command": run.command,
        }
        for run in runs
    ]


def summary(groups: Sequence[Group], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """A row a group and metric: how many runs have it, the mean, the ends of the interval."""
    rows = []
    for group in groups:
        for metric in metrics:
            if n := len(group.values(metric)):
                mean, half = group.mean(metric), group.half_width(metric)
                ends = {"low": mean - half, "high": mean + half} if n > 1 else {"low": None, "high": None}
                rows.append({**group.options, "metric": metric, "runs": n, "mean": mean, **ends})
    return rows


def save(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows as CSV, and as Parquet beside it where pyarrow is installed; an empty cell is no value."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    for name, values in columns.items():  # a column has one type
        if len({type(value) for value in values if value is not None} - {int, float}) and not all(
            isinstance(value, str | None) for value in values
        ):
            columns[name] = [None if value is None else str(value) for value in values]
    pyarrow.parquet.write_table(pyarrow.table(columns), path.with_suffix(".parquet"))
