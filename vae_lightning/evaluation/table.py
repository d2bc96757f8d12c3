"""Formatting results as a table for the console and as numbers for `metrics.json`."""

from collections.abc import Mapping
from itertools import groupby
from textwrap import fill
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from vae_lightning.evaluation.results import Result, Results
from vae_lightning.runs.metrics import MAIN_METRICS

REPEATED = '"'  # the ditto mark
LABEL_WIDTH = 9  # of the columns of a comparison


def build_table(results: dict[str, Results], title: str) -> Table:
    """Build a table with one section per group of metrics, in which a note that is repeated is shown once."""
    width = max((len(name) for group_results in results.values() for name in group_results), default=0)
    names = Column(overflow="fold", min_width=width)  # merged names wrap instead of being cut off
    table = Table(names, "value", "±", "details", title=title, title_justify="left")
    for group_results in results.values():
        table.add_section()
        previous = ""
        for name, result in merge_unavailable(group_results).items():
            *numbers, note = format_result(result)
            table.add_row(name, *numbers, REPEATED if note and note == previous else note)
            previous = note
    return table


def merge_unavailable(results: Results) -> Results:
    """Merge consecutive results that are unavailable for the same reason into one row, `first ... last`."""
    merged: Results = {}
    for (missing, note), group in groupby(results.items(), key=lambda item: (item[1].value is None, item[1].note)):
        items = list(group)
        if missing and len(items) > 1:
            items = [(f"{items[0][0]} ... {items[-1][0]}", Result(None, note=note))]
        merged |= dict(items)
    return merged


def format_result(result: Result) -> tuple[str, str, str]:
    """Format the value, the uncertainty and the note of one result."""
    value, error, std, note = result
    if value is None:
        return "-", "", note
    if isinstance(value, list):
        return f"{format_number(min(value))} to {format_number(max(value))}", "", note
    uncertainty = std if error is None else error
    return format_number(value), "" if uncertainty is None else f"{uncertainty:.2g}", note


def format_number(value: float) -> str:
    """Format integers without decimals, numbers from 10 with two decimals, others with four significant digits."""
    if value.is_integer():
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4g}"


def build_comparison(runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Build a table with one row per run and one column per main metric that at least one run has.

    Args:
        runs: the numbers of each run as in `metrics.json`, by the name to show.
    """
    names = [name for name in MAIN_METRICS if any(numbers.get(name) is not None for numbers in runs.values())]
    labels = [fill(MAIN_METRICS[name].label, LABEL_WIDTH, break_long_words=False) for name in names]
    columns = [Column(label, justify="right") for label in labels]
    table = Table(*columns, Column("run"), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for run, numbers in runs.items():
        values = [numbers.get(name) for name in names]
        table.add_row(*("-" if value is None else format_number(value) for value in values), run)
    return table


def flatten(group: str, results: Results) -> dict[str, Any]:
    """Map `group/name` to each value, or None, and `group/name_se` and `group/name_std` to its uncertainty."""
    numbers: dict[str, Any] = {}
    for name, result in results.items():
        numbers[f"{group}/{name}"] = result.value
        if result.error is not None:
            numbers[f"{group}/{name}_se"] = result.error
        if result.std is not None:
            numbers[f"{group}/{name}_std"] = result.std
    return numbers
