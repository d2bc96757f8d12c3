"""Train and evaluate every row of the tables in benchmarks/tables/, and write the tables to docs/results.md.

    python benchmarks/reproduce.py --root data                             # all tables, in the order of their numbers
    python benchmarks/reproduce.py --root data --tables 3-iwae --jobs 2    # one of them, two rows at a time
    python benchmarks/reproduce.py --render                                # only write the tables, from the runs so far

Each row is a run in runs/reproduce/TABLE/ROW. Rerun the command to continue: finished rows are skipped, interrupted
ones are resumed, and ones whose number of epochs was raised are trained further. The directory can be copied to another
machine, where --root must be the same, since it is part of a run's configuration.
"""

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from vae_lightning.io.atomic import atomic_write
from vae_lightning.runs.artifacts import is_finished, read_config, read_metrics
from vae_lightning.runs.layout import CHECKPOINTS, LAST

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "benchmarks" / "tables"
RESULTS = ROOT / "docs" / "results.md"
RUNS = Path("runs") / "reproduce"
RECORD = "reproduce.json"  # how long a row took, and where it was trained
TRAIN = [sys.executable, str(ROOT / "train.py"), "-m"]
EVALUATE = [sys.executable, "-m", "vae_lightning", "evaluate"]


@dataclass(frozen=True)
class Row:
    """One run, and the published number beside its own.

    Attributes:
        table: name of the table.
        name: of the row, and of the directory of its run.
        overrides: of train.py, where $DATA stands for the directory of the data sets.
        evaluate: options of `vae-lightning evaluate`, or empty if the metric is one of the training.
        metric: name in metrics.json, with a minus in front to change the sign.
        published: the number in the paper, or None.
        note: why ours differs.
    """

    table: str
    name: str
    overrides: list[str]
    metric: str
    evaluate: list[str]
    published: float | None = None
    note: str = ""

    @property
    def run_dir(self) -> Path:
        """Directory of the run."""
        return RUNS / self.table / re.sub(r"\W+", "_", self.name, flags=re.ASCII).strip("_")

    def result(self) -> tuple[float, float] | None:
        """Return the number and its standard error (0 if unknown), or None if the row is not finished."""
        name, metrics = self.metric.lstrip("-"), read_metrics(self.run_dir)
        if not is_finished(self.run_dir) or metrics.get(name) is None:
            return None
        return (-1 if self.metric.startswith("-") else 1) * metrics[name], metrics.get(f"{name}_se", 0.0)


def read_table(path: Path) -> list[Row]:
    """Read the rows of a table. Options of the table apply to all of its rows."""
    table = yaml.safe_load(path.read_text())
    shared = {"metric": table["metric"], "evaluate": table.get("evaluate", "").split()}
    return [
        Row(**{**shared, **row, "table": path.stem, "overrides": f"{table['overrides']} {row['overrides']}".split()})
        for row in table["rows"]
    ]


class Interruptible:
    """Runs commands in several threads, until it is stopped."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = threading.Event()

    def call(self, command: list[str], log: Path) -> bool:
        """Run a command and append its output to a file. Return whether it succeeded."""
        if self.stopped.is_set():
            return False
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | {"OMP_NUM_THREADS": "1"})
            self.running.add(process)
            code = process.wait()
            self.running.remove(process)
        return code == 0

    def stop(self) -> None:
        """Let the running commands save their state and exit, and start no others."""
        self.stopped.set()
        for process in list(self.running):
            process.terminate()


def run_row(row: Row, root: str, commands: Interruptible) -> None:
    """Train and evaluate a row, as far as that has not been done, and write its table."""
    row.run_dir.mkdir(parents=True, exist_ok=True)
    log = row.run_dir / "reproduce.log"
    start, before = time.monotonic(), last_change(row)
    # A sweep of one job: it skips, resumes or extends the run.
    sweep = [f"hydra.sweep.dir={row.run_dir.parent}", f"hydra.sweep.subdir={row.run_dir.name}"]
    overrides = [override.replace("$DATA", root) for override in row.overrides]
    trained = commands.call([*TRAIN, *overrides, *sweep], log)
    if last_change(row) != before:
        record(row, time.monotonic() - start)
    if trained and row.result() is None:  # not evaluated since it was trained last
        commands.call([*EVALUATE, str(row.run_dir), *row.evaluate], log)
    result = row.result()
    print(f"{row.table:20} {row.name:40} {'see ' + str(log) if result is None else f'{result[0]:.2f}'}", flush=True)


def last_change(row: Row) -> int:
    """Return when the last checkpoint of a row was written, or 0 if there is none."""
    path = row.run_dir / CHECKPOINTS / LAST
    return path.stat().st_mtime_ns if path.is_file() else 0


def record(row: Row, seconds: float) -> None:
    """Add the duration of a training to the record of its row."""
    path = row.run_dir / RECORD
    before = json.loads(path.read_text())["seconds"] if path.is_file() else 0.0
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    now = {
        "seconds": before + seconds,
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "torch": version("torch"),
        "lightning": version("lightning"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    atomic_write(json.dumps(now, indent=2) + "\n", path)


def render(path: Path) -> str:
    """Return a table in Markdown, with a line for each row."""
    table = yaml.safe_load(path.read_text())
    header = ["", "published", table["column"], "difference", "epochs", "trained for", "commit", ""]
    lines = [header, ["---"] * len(header), *map(cells, read_table(path))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cells(row: Row) -> list[str]:
    """Return the cells of a row."""
    published = "" if row.published is None else f"{row.published:g}"
    result = row.result()
    if result is None:
        return [row.name, published, "not run", "", "", "", "", row.note]
    value, error = result
    difference = "" if row.published is None else f"{100 * (value / row.published - 1):+.1f}%"
    number = f"{value:.2f}" + f" ± {error:.2f}" * bool(error)
    made: dict[str, Any] = json.loads((row.run_dir / RECORD).read_text())
    epochs = str(read_config(row.run_dir)["trainer"]["max_epochs"])
    return [row.name, published, number, difference, epochs, duration(made["seconds"]), made["commit"], row.note]


def duration(seconds: float) -> str:
    """Format a duration in hours and minutes."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def write_results() -> None:
    """Replace the tables in docs/results.md, between `<!-- table NAME -->` and `<!-- /table -->`."""
    text = RESULTS.read_text()
    for path in sorted(TABLES.glob("*.yaml")):
        pattern = rf"(<!-- table {path.stem} -->\n).*?(<!-- /table -->)"
        text = re.sub(pattern, lambda match, path=path: f"{match[1]}{render(path)}\n{match[2]}", text, flags=re.DOTALL)
    atomic_write(text, RESULTS)


def main() -> None:
    """Run all rows, or only write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory of the data sets")
    parser.add_argument("--tables", nargs="+", help="names of files in benchmarks/tables/ (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rows at a time, with one thread each")
    parser.add_argument("--render", action="store_true", help="write docs/results.md from the runs so far")
    args = parser.parse_args()
    paths = [TABLES / f"{name}.yaml" for name in args.tables or ()] or sorted(TABLES.glob("*.yaml"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to stop, like Ctrl-C
    if not args.render:
        commands = Interruptible()
        with ThreadPoolExecutor(args.jobs) as pool:
            jobs = [pool.submit(run_row, row, args.root, commands) for path in paths for row in read_table(path)]
            try:
                for job in jobs:
                    job.result()
                    write_results()
            except KeyboardInterrupt:
                commands.stop()
                pool.shutdown(cancel_futures=True)
    write_results()


if __name__ == "__main__":
    main()
