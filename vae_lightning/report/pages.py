"""Writing the HTML pages of a report, from templates that escape all text from runs."""

import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from vae_lightning.report.collect import ReportedRun
from vae_lightning.report.curves import Curve
from vae_lightning.report.document import format_cell
from vae_lightning.report.run_pages import configuration_text, copy_figures, log_text, run_data
from vae_lightning.report.view import SectionView
from vae_lightning.runs.metrics import MAIN_METRICS, better_direction

ASSETS = Path(__file__).with_name("assets")
PLOTLY = "plotly.min.js"


def make_environment() -> Environment:
    """Return the environment of the templates."""
    environment = Environment(
        loader=PackageLoader("vae_lightning.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals["has_plotly"] = find_spec("plotly") is not None
    environment.filters["cell"] = format_cell
    return environment


ENVIRONMENT = make_environment()


def write_page(template: str, path: Path, **values: Any) -> Path:
    """Write one page and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ENVIRONMENT.get_template(template).render(values), encoding="utf-8")
    return path


def write_pages(
    title: str,
    counts: str,
    command: str,
    runs: Sequence[ReportedRun],
    views: Sequence[SectionView],
    curves: Mapping[str, Mapping[str, Curve]],
    folder: Path,
) -> Path:
    """Write the page of the report, that of comparisons and one per run, and return the first.

    Args:
        title: of the report.
        counts: the number of runs in each state.
        command: the command of the sweep, empty if there is none.
        runs: all runs.
        views: the sections with finished runs.
        curves: slug of a run -> its curves by tag.
        folder: the directory of the report.
    """
    copy_assets(folder / "assets")
    section_of = {slug: view for view in views for row in view.runs for slug in row.slugs}
    for run in runs:
        write_run(run, section_of.get(run.slug), curves.get(run.slug, {}), title, folder / "run" / run.slug)
    write_page(
        "compare.html",
        folder / "compare.html",
        title=title,
        names={run.slug: run.name for run in runs},
        main=list(MAIN_METRICS),
        directions={name: better_direction(name) for run in runs for name in run.metrics},
    )
    return write_page(
        "report.html",
        folder / "report.html",
        title=title,
        counts=counts,
        command=command,
        views=views,
        columns={column.key: column for view in views for column in view.columns}.values(),
        shown={column.key for view in views for column in view.columns if column.shown},
        foldable=any(len(view.settings) < len(view.runs) for view in views),
        unfinished=[run for run in runs if run.state != "finished"],
    )


def write_run(
    run: ReportedRun, section: SectionView | None, curves: Mapping[str, Curve], title: str, folder: Path
) -> None:
    """Write the page of a run, its figures and its data."""
    figures = copy_figures(run, folder)
    write_page(
        "run.html",
        folder / "index.html",
        title=title,
        run=run,
        section=section,
        figures=figures,
        metrics=metrics_by_group(run),
        configuration=configuration_text(run),
        log=log_text(run),
    )
    data = run_data(run, section.title if section else run.state, figures, curves)
    (folder / "data.js").write_text(data, encoding="utf-8")


def metrics_by_group(run: ReportedRun) -> dict[str, dict[str, float]]:
    """Return the metrics of a run by the first part of their name, `test` first."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in sorted(run.metrics.items(), key=lambda item: (not item[0].startswith("test/"), item[0])):
        group, _, rest = name.rpartition("/")
        groups.setdefault(group, {})[rest] = value
    return groups


def copy_assets(folder: Path) -> None:
    """Copy style sheet and scripts, and Plotly's own bundle from its package."""
    shutil.copytree(ASSETS, folder, dirs_exist_ok=True)
    if ENVIRONMENT.globals["has_plotly"]:
        from plotly.offline import get_plotlyjs

        (folder / PLOTLY).write_text(get_plotlyjs(), encoding="utf-8")
