"""The tables in benchmarks/tables/: their rows, the records of finished runs, and writing them to docs/results.md.

A table is a YAML file. Its name begins with a number that gives the order in which tables are run. Keys of the table:

    column: header of our numbers
    published: header of the published numbers if they are of other data, which leaves out the differences (optional)
    metric: name in metrics.json, with a minus in front to change the sign
    also: further columns, header -> metric (optional)
    overrides: of train.py, for all rows; $DATA and $FACES stand for the directories of the datasets and of CelebA
    evaluate: options of `vae-lightning evaluate`, if the metrics are not those of the training (optional)
    curves: title of a figure with the objective during training, docs/images/TABLE-curves.png (optional)
    against: labels and title of a figure with the metric of the rows that have `points`, docs/images/TABLE-against.png
        (optional)
    rows: a list of rows; the keys are the attributes of `Row`
"""

import math
import re
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import fmean, stdev
from string import Template
from typing import Any

import yaml
from PIL import Image
from records import TAGS, read_record

from vae_lightning.io.atomic import atomic_write
from vae_lightning.plotting.style import save
from vae_lightning.plotting.sweeps import Point, compare_curves, trade_off
from vae_lightning.report.curves import read_curves

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "benchmarks" / "tables"
RESULTS = ROOT / "docs" / "results.md"
IMAGES = ROOT / "docs" / "images"
RUNS = Path("runs") / "reproduce"
RECORDS = ROOT / "benchmarks" / "results"
NUM_COLORS = 128  # of an image


@dataclass(frozen=True)
class Row:
    """Runs of one configuration, and the published number beside theirs.

    Attributes:
        table: name of the table.
        name: of the row, and of the directories of its runs.
        overrides: of train.py.
        evaluate: options of `vae-lightning evaluate`, or empty.
        metric: name in metrics.json, with a minus in front to change the sign.
        also: metrics of the further columns.
        published: the number in the paper, or None.
        note: why ours differs.
        seeds: number of runs, whose mean and standard deviation are given.
        is_long: run this row after all rows of all tables that are not.
        images: figure in docs/images/ -> figure of the first run, without suffixes.
        points: series of the figure `against` -> where this row is on its x axis.
    """

    table: str
    name: str
    overrides: list[str]
    evaluate: list[str]
    metric: str
    also: list[str] = field(default_factory=list)
    published: float | None = None
    note: str = ""
    seeds: int = 1
    is_long: bool = False
    images: dict[str, str] = field(default_factory=dict)
    points: dict[str, float] = field(default_factory=dict)

    @property
    def run_names(self) -> list[str]:
        """Path of the run of each seed, and of its record, below the directory of all of them."""
        name = re.sub(r"\W+", "_", self.name, flags=re.ASCII).strip("_")
        names = [name] if self.seeds == 1 else [f"{name}-{seed}" for seed in range(self.seeds)]
        return [f"{self.table}/{name}" for name in names]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of the runs that have finished."""
        return [record for seed in range(self.seeds) if (record := self.record(seed))]

    def record(self, seed: int) -> dict[str, Any] | None:
        """Return the record of a run, or None if it has not finished with these settings on any machine."""
        record, settings = read_record(RECORDS / self.run_names[seed]), self.settings(seed)
        return record if record and settings == {key: record.get(key) for key in settings} else None

    def settings(self, seed: int) -> dict[str, Any]:
        """Return what determines the metrics of a run, the directories of the datasets apart."""
        return {"overrides": self.overrides, "evaluate": self.evaluate, "seed": seed}

    def overrides_with(self, **folders: str) -> list[str]:
        """Return the overrides with the directories of the datasets, such as DATA="data"."""
        return [Template(override).substitute(folders) for override in self.overrides]

    def result(self, metric: str) -> tuple[float, float] | None:
        """Return a metric and its uncertainty, or None if no run has finished or they do not have it.

        The uncertainty is the standard deviation over seeds, or the standard error of a single run, or 0 if unknown.
        """
        sign, name = (-1, metric[1:]) if metric.startswith("-") else (1, metric)
        metrics = [record["metrics"] for record in self.records]
        if not metrics or any(name not in run for run in metrics):
            return None
        values = [sign * run[name] for run in metrics]
        return fmean(values), stdev(values) if len(values) > 1 else metrics[0].get(f"{name}_se", 0.0)


def read_table(path: Path) -> list[Row]:
    """Read the rows of a table. Keys of the table apply to all of its rows."""
    table = yaml.safe_load(path.read_text())
    also = list(table.get("also", {}).values())
    shared = {"table": path.stem, "metric": table["metric"], "evaluate": table.get("evaluate", ""), "also": also}
    rows = [{**shared, **row, "overrides": f"{table['overrides']} {row['overrides']}"} for row in table["rows"]]
    return [Row(**row | {key: row[key].split() for key in ("overrides", "evaluate")}) for row in rows]


def write_results() -> None:
    """Replace the tables in docs/results.md, between `<!-- table NAME -->` and `<!-- /table -->`, and the figures."""
    text = RESULTS.read_text()
    for path in sorted(TABLES.glob("*.yaml")):
        pattern = rf"(<!-- table {path.stem} -->\n).*?(<!-- /table -->)"
        text = re.sub(pattern, lambda match, path=path: f"{match[1]}{render(path)}\n{match[2]}", text, flags=re.DOTALL)
        table, rows = yaml.safe_load(path.read_text()), read_table(path)
        if title := table.get("curves"):
            draw_curves(rows, title, IMAGES / f"{path.stem}-curves.png")
        if labels := table.get("against"):
            draw_against(rows, labels, IMAGES / f"{path.stem}-against.png")
    atomic_write(text, RESULTS)


def copy_images(row: Row) -> None:
    """Copy the figures of a row's first run to the documentation."""
    for name, figure in row.images.items():
        reduce_colors(RUNS / row.run_names[0] / "figures" / f"{figure}.png", IMAGES / f"{name}.png")


def reduce_colors(source: Path, target: Path) -> None:
    """Copy a PNG with fewer colors, which takes a third of the space."""
    file = BytesIO()
    with Image.open(source) as image:
        image.convert("RGB").quantize(NUM_COLORS).save(file, "PNG", optimize=True)
    atomic_write(file.getvalue(), target)


def draw_curves(rows: list[Row], title: str, target: Path) -> None:
    """Draw the objective of the first run of each finished row during training as PNG, unless a record lacks it.

    The legend has the order of the curves at their ends.
    """
    curves = {row.name: read_curves(RECORDS / row.run_names[0], TAGS) for row in rows if row.records}
    if not curves or not all(curves.values()):
        return
    curves = dict(sorted(curves.items(), key=lambda item: -last_value(item[1])))
    # Before, the curves fall too steeply to be compared.
    start = max(x for tags in curves.values() for curve in tags.values() for x in curve) / 10
    shown = {
        name: {tag: {x: y for x, y in curve.items() if x >= start} for tag, curve in tags.items()}
        for name, tags in curves.items()
    }
    save(compare_curves(shown, "objective, nats per image", title), target)
    reduce_colors(target, target)


def draw_against(rows: list[Row], labels: dict[str, str], target: Path) -> None:
    """Draw the metric of the finished rows at three `points` or more as PNG, with standard deviations over seeds."""
    series: dict[str, list[Point]] = {}
    for row in rows:
        if result := row.result(row.metric):
            value, deviation = result if len(row.records) > 1 else (result[0], math.nan)
            for name, x in row.points.items():
                series.setdefault(name, []).append(Point(x, value, dy=deviation))
    if len({point.x for points in series.values() for point in points}) < 3:
        return
    save(trade_off({name: sorted(points) for name, points in series.items()}, **labels), target)
    reduce_colors(target, target)


def last_value(tags: dict[str, dict[int, float]]) -> float:
    """Return the last value of the last curve of a run."""
    return [*[*tags.values()][-1].values()][-1]


def render(path: Path) -> str:
    """Return a table in Markdown, with a line for each row."""
    table = yaml.safe_load(path.read_text())
    rows = read_table(path)
    runs = ["runs"] * any(row.seeds > 1 for row in rows)
    made = [*runs, "epochs", "trained for", "commit"]
    published = ["", table.get("published", "published"), table["column"], "difference"]
    lines = [[*published, *table.get("also", {}), *made], *(cells(row, bool(runs)) for row in rows)]
    if "published" in table:
        lines = [[*line[:3], *line[4:]] for line in lines]
    lines.insert(1, ["---"] * len(lines[0]))
    notes = [f"{row.name}: {row.note}" for row in rows if row.note]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + [f"\n{note}" for note in notes])


def cells(row: Row, count_runs: bool) -> list[str]:
    """Return the cells of a row, if requested with the number of runs."""
    published = "" if row.published is None else f"{row.published:g}"
    result = row.result(row.metric)
    if result is None:
        return [row.name, published, "not run", *[""] * (len(row.also) + count_runs + 4)]
    difference = "" if row.published is None else f"{100 * (result[0] / row.published - 1):+.1f}%"
    also = [format_number(row.result(metric)) for metric in row.also]
    records = row.records
    runs = [str(len(records))] * count_runs
    seconds = fmean(record["seconds"] for record in records)
    made = [*runs, str(records[0]["epochs"]), format_duration(seconds), records[0]["commit"]]
    return [row.name, published, format_number(result), difference, *also, *made]


def format_number(result: tuple[float, float] | None) -> str:
    """Format a number with its uncertainty, if known, and three digits after the point below 1."""
    if result is None:
        return ""
    value, error = result
    digits = 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}" + f" ± {error:.{digits}f}" * bool(error)


def format_duration(seconds: float) -> str:
    """Format a duration in hours and minutes."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
