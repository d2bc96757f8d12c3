"""The columns of a section's table: which there are, which are shown at first, and which value is best."""

from collections.abc import Sequence
from dataclasses import dataclass

from vae_lightning.report.collect import ReportedRun
from vae_lightning.report.sections import Section
from vae_lightning.report.table import FIRST_COLUMNS
from vae_lightning.runs.metrics import MAIN_METRICS, better_direction

MAX_OPTIONS = 8  # shown at first


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: a metric, an option, or `seed`.
        title: its name on the page.
        is_metric: whether it is a metric.
        shown: whether it is shown at first.
        better: `lower`, `higher`, or empty if no value is better than another.
    """

    key: str
    title: str
    is_metric: bool
    shown: bool
    better: str = ""


def section_columns(section: Section) -> list[Column]:
    """Return nelbo, distortion and rate, the options that differ, the seed, the metrics of `evaluate`, other terms."""
    test, evaluated = shown_metrics(section.runs)
    terms = other_terms(section.runs)
    options = differing_options(section)
    seeds = ["seed"] if len({run.options.get("seed") for run in section.runs}) > 1 else []
    informative = [key for key in options if is_informative(key, section)]
    shown = {*informative[:MAX_OPTIONS], "seed", *(name for name, main in MAIN_METRICS.items() if main.in_report)}
    metrics = {*test, *evaluated, *terms}
    keys = [*test, *options, *seeds, *evaluated, *terms]
    titles = short_titles(keys)
    return [
        Column(key, title, key in metrics, key in shown, better_direction(key))
        for key, title in zip(keys, titles, strict=True)
    ]


def short_titles(keys: Sequence[str]) -> list[str]:
    """Return each name without its group, such as `mig` for `disentanglement/mig`, unless a column before has it."""
    titles: list[str] = []
    for key in keys:
        short = key.rpartition("/")[2]
        titles.append(key if short in titles else short)
    return titles


def shown_metrics(runs: Sequence[ReportedRun]) -> tuple[list[str], list[str]]:
    """Return the test metrics, and those of `evaluate` without standard errors and deviations."""
    names = {name for run in runs for name in run.metrics}
    stages = ("train/", "val/", "test/")
    test = [name for name in MAIN_METRICS if name in names and name.startswith(stages)]
    evaluated = [name for name in names if not name.startswith(stages) and not name.endswith(("_se", "_std"))]
    return test, sorted(evaluated, key=main_first)


def other_terms(runs: Sequence[ReportedRun]) -> list[str]:
    """Return the terms that models log in tests beside the main metrics, such as those of a regularizer."""
    return sorted({name for run in runs for name in run.metrics if name.startswith("test/")} - MAIN_METRICS.keys())


def main_first(metric: str) -> tuple[int, str]:
    """Return a key that sorts the main metrics before others, which are sorted by name."""
    return [*MAIN_METRICS, metric].index(metric), metric


def differing_options(section: Section) -> list[str]:
    """Return all options that differ among the runs, except the seed and its copies, the most informative first."""
    keys = dict.fromkeys([*FIRST_COLUMNS, *section.columns, *(key for run in section.runs for key in run.options)])
    seeds = [run.options.get("seed") for run in section.runs]
    chosen = []
    for key in keys:
        values = [run.options.get(key) for run in section.runs]
        if len(set(values)) > 1 and key != "seed" and not (key.endswith(".seed") and values == seeds):
            chosen.append(key)
    return chosen


def is_informative(key: str, section: Section) -> bool:
    """Return whether a differing option says more than the model does, such as options that only one model has."""
    if key in FIRST_COLUMNS:
        return True
    values = {(run.options.get("model"), run.options.get(key)) for run in section.runs}
    return key in section.columns and len(values) > len({model for model, _ in values})


def constant_options(section: Section) -> dict[str, str]:
    """Return the options that are the same in all runs."""
    first, *others = section.runs
    return {k: str(v) for k, v in first.options.items() if all(o.options.get(k, ...) == v for o in others)}
