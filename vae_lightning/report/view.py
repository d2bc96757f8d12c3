"""The rows of a section's table on the page: one per run, and one per setting."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vae_lightning.report.collect import ReportedRun
from vae_lightning.report.columns import Column, constant_options, section_columns
from vae_lightning.report.document import Mean, format_cell
from vae_lightning.report.pictures import Picture
from vae_lightning.report.sections import Section
from vae_lightning.report.table import Group

MAX_SERIES, MAX_NAME = 10, 32  # colors of the rate-distortion plane, and characters of a name in its legend


class Cell(NamedTuple):
    """A cell.

    Attributes:
        text: as it is shown.
        value: the unrounded number to sort by, None for text.
        half_width: of the interval, None if there is none.
        is_best: whether no other row has a better value.
    """

    text: str
    value: float | None = None
    half_width: float | None = None
    is_best: bool = False


class Row(NamedTuple):
    """A row.

    Attributes:
        name: of the run, or of the setting.
        slugs: of the runs.
        series: what shares a color in the rate-distortion plane.
        cells: one per column.
    """

    name: str
    slugs: list[str]
    series: str
    cells: list[Cell]


@dataclass
class SectionView:
    """A section, as the page shows it.

    Attributes:
        title: of the section.
        slug: its address on the page.
        columns: of its table.
        runs: one row per run.
        settings: one row per setting.
        constants: the options that are the same in all runs.
        pictures: its figures.
    """

    title: str
    slug: str
    columns: list[Column]
    runs: list[Row]
    settings: list[Row]
    constants: dict[str, str]
    pictures: list[Picture]


def view_section(section: Section, pictures: list[Picture]) -> SectionView:
    """Return a section as the page shows it."""
    columns = section_columns(section)
    series = series_names(section.groups)
    runs = [
        Row(run.name, [run.slug], name, [run_cell(run, column) for column in columns])
        for group, name in zip(section.groups, series, strict=True)
        for run in group.runs
    ]
    settings = [
        Row(setting_name(group), [run.slug for run in group.runs], name, group_cells(group, columns))
        for group, name in zip(section.groups, series, strict=True)
    ]
    for rows in (runs, settings):
        mark_best(rows, columns)
    return SectionView(section.title, section.slug, columns, runs, settings, constant_options(section), pictures)


def setting_name(group: Group) -> str:
    """Return the name of the first run of a setting, and how many others it has."""
    others = len(group.runs) - 1
    return group.runs[0].name + (f" + {others} more" if others else "")


def series_names(groups: Sequence[Group]) -> list[str]:
    """Return what shares a color: settings that differ only in β, or with one name or model if these are too many."""
    first = [group.runs[0].options for group in groups]
    for names in ([group.label(("beta",)) for group in groups], [str(options.get("name")) for options in first]):
        if 1 < len(set(names)) <= MAX_SERIES and max(map(len, names)) <= MAX_NAME:
            return names
    return [str(options.get("model")) for options in first]


def run_cell(run: ReportedRun, column: Column) -> Cell:
    """Return the cell of a run."""
    return make_cell(run.metrics.get(column.key) if column.is_metric else run.options.get(column.key), column)


def group_cells(group: Group, columns: Sequence[Column]) -> list[Cell]:
    """Return the cells of a setting: means of metrics, options, and the number of seeds."""
    cells = []
    for column in columns:
        if column.is_metric:
            cells.append(make_cell(Mean(group.mean(column.key), group.half_width(column.key)), column))
        elif column.key == "seed":
            cells.append(Cell(f"{len(group.runs)} run{'s' * (len(group.runs) > 1)}", len(group.runs)))
        else:
            cells.append(run_cell(group.runs[0], column))
    return cells


def make_cell(value: Any, column: Column) -> Cell:
    """Return a value as a cell."""
    if isinstance(value, Mean):
        half = None if math.isnan(value.half_width) else value.half_width
        return Cell(str(value), None if math.isnan(value.value) else value.value, half)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(format_cell(value) if column.is_metric else f"{value:.6g}", value)
    return Cell(format_cell(value))


def mark_best(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """Mark the best value of each column in which one is better than another, unless it is the only row."""
    for i, column in enumerate(columns):
        values = [row.cells[i].value for row in rows if row.cells[i].value is not None]
        if column.better and len(set(values)) > 1:
            best = min(values) if column.better == "lower" else max(values)  # type: ignore[type-var]
            for row in rows:
                if row.cells[i].value == best:
                    row.cells[i] = row.cells[i]._replace(is_best=True)
