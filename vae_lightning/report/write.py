"""Writing a report that compares many runs."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from vae_lightning.checkpointing.trust import Trust, trust_options
from vae_lightning.io.escaping import visible
from vae_lightning.plotting.style import save
from vae_lightning.report.collect import ReportedRun, find_runs, sweep_command
from vae_lightning.report.columns import shown_metrics
from vae_lightning.report.curves import Curve, read_curves
from vae_lightning.report.document import Block, Command, Heading, Image, Mean, Table, Text
from vae_lightning.report.markdown import render_markdown
from vae_lightning.report.pages import write_pages
from vae_lightning.report.pictures import Picture, pictures
from vae_lightning.report.sections import Section, split_into_sections
from vae_lightning.report.table import group_runs, run_rows, save_table, summary_rows, varying_options
from vae_lightning.report.view import view_section
from vae_lightning.runs.discovery import resolve_sweep

STATES = ("finished", "unfinished", "failed", "pruned")


def report(root: str | Path, out: str | Path | None = None, *, trust: Trust = ()) -> Path:
    """Write a report on all runs under a directory: HTML pages, Markdown, CSV files and figures.

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
    command = sweep_command(root)
    folder = Path(out) if out else root / "report"
    folder.mkdir(parents=True, exist_ok=True)
    groups = group_runs(runs, varying_options([run for run in runs if run.state == "finished"]))
    save_table(run_rows(runs, varying_options(runs)), folder / "runs.csv")
    save_table(summary_rows(groups, sorted({name for run in runs for name in run.metrics})), folder / "summary.csv")

    sections = split_into_sections(runs)
    curves = {run.slug: read_curves(run.folder) for run in runs}
    drawn = [draw_pictures(section, curves, trust, folder, prefix=len(sections) > 1) for section in sections]
    if packages := {package: None for section in drawn for picture in section for package in picture.untrusted}:
        hint = f"If you wrote their classes, add {trust_options([*packages])}"
        print(f"some runs have no images in the report. {hint}", file=sys.stderr)
    title = visible(f"Report: {root.resolve().name}")
    blocks = [*overview(runs, command), *chain.from_iterable(map(section_blocks, sections, drawn)), *commands(runs)]
    (folder / "report.md").write_text(render_markdown(title, blocks), encoding="utf-8")
    views = list(map(view_section, sections, drawn))
    return write_pages(title, count_states(runs), command, runs, views, curves, folder)


def draw_pictures(
    section: Section, curves: Mapping[str, Mapping[str, Curve]], trust: Trust, folder: Path, prefix: bool
) -> list[Picture]:
    """Draw the figures of a section into PNG files, whose names start with that of the section if there are several."""
    drawn = []
    for picture in pictures(section.groups, curves, trust):
        file = f"{section.slug}-" * prefix + f"{picture.name}.png"
        if picture.figure is not None:
            save(picture.figure, folder / file, format="png", dpi=150)
        drawn.append(picture._replace(file=file if picture.figure is not None else ""))
    return drawn


def count_states(runs: Sequence[ReportedRun]) -> str:
    """Return the number of runs in each state, as a sentence."""
    counts = Counter(run.state for run in runs)
    total = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"{total}: {', '.join(f'{counts[state]} {state}' for state in STATES if counts[state])}."


def overview(runs: Sequence[ReportedRun], command: str) -> list[Block]:
    """Return the number of runs, the command of the sweep, and the unfinished runs with their reasons."""
    blocks: list[Block] = [Text(f"{count_states(runs)} Numbers are in nats per image unless stated otherwise.")]
    if command:
        blocks.append(Command(command))
    others = sorted((run for run in runs if run.state != "finished"), key=lambda run: STATES.index(run.state))
    if others:
        rows = [[run.name, run.state, run.reason] for run in others]
        blocks += [Heading("Runs that did not finish"), Table(["run", "state", "reason"], rows)]
    if len(others) == len(runs):
        blocks.append(Text("No run has finished, so there is nothing to compare yet."))
    return blocks


def section_blocks(section: Section, drawn: Sequence[Picture]) -> list[Block]:
    """Return the means over seeds, every run and the figures of a section."""
    metrics = [name for names in shown_metrics(section.runs) for name in names]
    names = [name.removeprefix("test/") for name in metrics]
    means = [
        [*(Mean(group.mean(m), group.half_width(m)) for m in metrics), *group.options.values(), len(group.runs)]
        for group in section.groups
    ]
    single = [
        [run.name, *(run.metrics.get(m) for m in metrics), *(run.options.get(c) for c in [*section.columns, "seed"])]
        for run in section.runs
    ]
    blocks: list[Block] = [
        Heading(section.title),
        Text(
            "Metrics of the test images, from the best checkpoint. ± is the half-width of the 95% confidence interval"
            " of the mean (Student's t), for two seeds or more. All metrics are in runs.csv and summary.csv."
        ),
        Heading("Means over seeds", 3),
        Table([*names, *section.columns, "seeds"], means),
        Heading("Runs", 3),
        Table(["run", *names, *section.columns, "seed"], single),
    ]
    for picture in drawn:
        blocks += [Heading(picture.title, 3), Text(picture.caption)]
        blocks += [Image(picture.file, picture.title)] if picture.file else []
    return blocks


def commands(runs: Sequence[ReportedRun]) -> list[Block]:
    """Return the command of each run."""
    return [Heading("Commands"), Table(["run", "command"], [[run.name, run.command] for run in runs])]
