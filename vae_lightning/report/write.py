"""`vae-lightning report FOLDER`: from many runs to one page."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from vae_lightning.report.collect import Run, find_runs, typed_for_all
from vae_lightning.report.document import Block, Command, Heading, Image, Mean, Table, Text
from vae_lightning.report.html import html
from vae_lightning.report.markdown import markdown
from vae_lightning.report.pictures import Picture, pictures
from vae_lightning.report.table import Group, grouped, save, summary, tidy, varying

SHOWN = ("test/nelbo", "test/distortion", "test/rate")  # on the page, besides what `evaluate` found; the CSV has all

STATES = ("finished", "unfinished", "failed", "pruned")


def report(root: str | Path, out: str | Path | None = None, *, trust: tuple[str, ...] = ()) -> Path:
    """Gather all runs under a folder into tables, figures, a page and a Markdown file.

    >>> report("runs/sweeps/first")  # doctest: +SKIP

    Args:
        root: a folder of runs, at any depth.
        out: where the report goes; by default `report/` in that folder.
        trust: packages of your own whose classes the checkpoints may name.

    Returns:
        The page, `report.html`.

    Raises:
        UserError: when there is no run.
    """
    root = Path(root)
    runs = find_runs(root)
    columns = varying([run for run in runs if run.state == "finished"])
    groups = grouped(runs, columns)
    folder = Path(out) if out else root / "report"
    folder.mkdir(parents=True, exist_ok=True)
    save(tidy(runs, varying(runs)), folder / "runs.csv")
    save(summary(groups, sorted({name for run in runs for name in run.metrics})), folder / "summary.csv")

    blocks = [*overview(root, runs), *tables(runs, columns, groups)]
    for picture in pictures(groups, trust):
        blocks += picture_blocks(picture, folder)
    blocks += [Heading("What was typed"), Table(["run", "command"], [[run.name, run.command] for run in runs])]
    title = f"Report on {root.resolve().name}"
    (folder / "report.md").write_text(markdown(title, blocks))
    page = folder / "report.html"
    page.write_text(html(title, blocks))
    return page


def overview(root: Path, runs: Sequence[Run]) -> list[Block]:
    """How many runs there are, what made them, and those that are not finished, each with its reason."""
    states = {state: [run for run in runs if run.state == state] for state in STATES}
    counts = ", ".join(f"{len(of_state)} {state}" for state, of_state in states.items() if of_state)
    runs_of = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    blocks: list[Block] = [Text(f"{runs_of}: {counts}. Numbers are nats per image unless they say otherwise.")]
    if command := typed_for_all(root):
        blocks.append(Command(command))
    if others := [*states["failed"], *states["unfinished"], *states["pruned"]]:
        rows = [[run.name, run.state, run.reason] for run in others]
        blocks += [Heading("Not finished"), Table(["run", "state", "reason"], rows)]
    return blocks


def tables(runs: Sequence[Run], columns: Sequence[str], groups: Sequence[Group]) -> list[Block]:
    """The means over seeds, and every finished run."""
    if not groups:
        return [Text("No run is finished: there is nothing to compare yet.")]
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
            "Of the test images, by the best checkpoint; ± is half of the 95% interval of the mean (Student's t), for"
            " two seeds or more. Click a column's name to sort. All numbers: runs.csv, summary.csv."
        ),
        Table([*columns, "seeds", *names], means),
        Heading("Runs"),
        Table([*columns, "seed", *names, "run"], single),
    ]


def shown_metrics(runs: Sequence[Run]) -> list[str]:
    """The test's, and what `evaluate` found but for errors and spreads."""
    found = sorted({name for run in runs for name in run.metrics})
    stages = ("train/", "val/", "test/")
    evaluated = [name for name in found if not name.startswith(stages) and not name.endswith(("_se", "_std"))]
    return [name for name in SHOWN if name in found] + evaluated


def picture_blocks(picture: Picture, folder: Path) -> list[Block]:
    """A figure under its heading, written to its PNG file as well."""
    blocks: list[Block] = [Heading(picture.title), Text(picture.caption)]
    if picture.figure is not None:
        buffer = BytesIO()
        picture.figure.savefig(buffer, format="png", dpi=150)
        file = f"{picture.name}.png"
        (folder / file).write_bytes(buffer.getvalue())
        blocks.append(Image(file, buffer.getvalue(), picture.title))
    return blocks
