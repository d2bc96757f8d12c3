"""Writing a report that compares many runs."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from vae_lightning.report.collect import Run, find_runs, sweep_command
from vae_lightning.report.document import Block, Command, Heading, Image, Mean, Table, Text
from vae_lightning.report.escaping import visible
from vae_lightning.report.html import render_html
from vae_lightning.report.markdown import render_markdown
from vae_lightning.report.pictures import Picture, pictures
from vae_lightning.report.table import Group, group_runs, run_rows, save_table, summary_rows, varying_options
from vae_lightning.runs.discovery import resolve_sweep

TEST_METRICS = ("test/nelbo", "test/distortion", "test/rate")  # on the page; the CSV files hold all metrics

STATES = ("finished", "unfinished", "failed", "pruned")


def report(root: str | Path, out: str | Path | None = None, *, trust: tuple[str, ...] = ()) -> Path:
    """Write a report on all runs under a directory: an HTML page, Markdown, CSV files and figures.

    >>> report("runs/sweeps/first")  # doctest: +SKIP

    Args:
        root: a directory with runs at any depth, or `latest` for the most recent sweep.
        out: the directory of the report; by default `report/` in `root`.
        trust: packages of your own whose classes the checkpoints may name.

    Returns:
        The path of the page, `report.html`.

    Raises:
        UserError: if there is no run, or `multirun.yaml` cannot be read.
    """
    root = resolve_sweep(root)
    runs = find_runs(root)
    columns = varying_options([run for run in runs if run.state == "finished"])
    groups = group_runs(runs, columns)
    introduction = overview(root, runs)
    folder = Path(out) if out else root / "report"
    folder.mkdir(parents=True, exist_ok=True)
    save_table(run_rows(runs, varying_options(runs)), folder / "runs.csv")
    save_table(summary_rows(groups, sorted({name for run in runs for name in run.metrics})), folder / "summary.csv")

    blocks = [*introduction, *tables(runs, columns, groups)]
    for picture in pictures(groups, trust):
        blocks += picture_blocks(picture, folder)
    blocks += [Heading("Commands"), Table(["run", "command"], [[run.name, run.command] for run in runs])]
    title = visible(f"Report on {root.resolve().name}")
    (folder / "report.md").write_text(render_markdown(title, blocks), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(render_html(title, blocks), encoding="utf-8")
    return page


def overview(root: Path, runs: Sequence[Run]) -> list[Block]:
    """Return the number of runs, the command of the sweep, and the unfinished runs with their reasons."""
    by_state = {state: [run for run in runs if run.state == state] for state in STATES}
    counts = ", ".join(f"{len(of_state)} {state}" for state, of_state in by_state.items() if of_state)
    total = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    blocks: list[Block] = [Text(f"{total}: {counts}. Numbers are in nats per image unless stated otherwise.")]
    if command := sweep_command(root):
        blocks.append(Command(command))
    if others := [*by_state["failed"], *by_state["unfinished"], *by_state["pruned"]]:
        rows = [[run.name, run.state, run.reason] for run in others]
        blocks += [Heading("Runs that did not finish"), Table(["run", "state", "reason"], rows)]
    return blocks


def tables(runs: Sequence[Run], columns: Sequence[str], groups: Sequence[Group]) -> list[Block]:
    """Return the means over seeds, and every finished run."""
    if not groups:
        return [Text("No run has finished, so there is nothing to compare yet.")]
    metrics = shown_metrics(runs)
    names = [name.removeprefix("test/") for name in metrics]
    means = [
        [*group.options.values(), len(group.runs), *(Mean(group.mean(m), group.half_width(m)) for m in metrics)]
        for group in groups
    ]
    single = [
        [*group.options.values(), run.options.get("seed"), *(run.metrics.get(m) for m in metrics), run.name]
        for group in groups
        for run in group.runs
    ]
    return [
        Heading("Means over seeds"),
        Text(
            "Metrics of the test images, from the best checkpoint. ± is the half-width of the 95% confidence interval"
            " of the mean (Student's t), for two seeds or more. On the HTML page, click a column's name to sort. All"
            " metrics are in runs.csv and summary.csv."
        ),
        Table([*columns, "seeds", *names], means),
        Heading("Runs"),
        Table([*columns, "seed", *names, "run"], single),
    ]


def shown_metrics(runs: Sequence[Run]) -> list[str]:
    """Return the test metrics and those of `evaluate`, without standard errors and deviations."""
    names = sorted({name for run in runs for name in run.metrics})
    stages = ("train/", "val/", "test/")
    evaluated = [name for name in names if not name.startswith(stages) and not name.endswith(("_se", "_std"))]
    return [name for name in TEST_METRICS if name in names] + evaluated


def picture_blocks(picture: Picture, folder: Path) -> list[Block]:
    """Return a figure with its heading and caption, and write it to a PNG file."""
    blocks: list[Block] = [Heading(picture.title), Text(picture.caption)]
    if picture.figure is not None:
        buffer = BytesIO()
        picture.figure.savefig(buffer, format="png", dpi=150)
        file = f"{picture.name}.png"
        (folder / file).write_bytes(buffer.getvalue())
        blocks.append(Image(file, buffer.getvalue(), picture.title))
    return blocks
