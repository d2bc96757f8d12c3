"""Train and evaluate every row of the tables in benchmarks/tables/, and write the tables to docs/results.md.

    python benchmarks/reproduce.py --root data                             # all tables, in the order of their numbers
    python benchmarks/reproduce.py --root data --tables 3-iwae --jobs 2    # one of them, two runs at a time
    python benchmarks/reproduce.py --render                                # only write the tables, from the records

Each row is a run in runs/reproduce/TABLE/ROW, whose record is kept in benchmarks/results/TABLE/ROW. Rerun the command
to continue: rows whose record has the same settings are skipped (--again trains them nevertheless), interrupted runs
are resumed, and ones whose number of epochs was raised are trained further. The runs can be copied to another machine,
where --root must be the same, since it is part of a run's configuration.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib.metadata import version
from pathlib import Path

from records import write_record
from tables import RECORDS, ROOT, RUNS, TABLES, Row, copy_images, read_table, write_results

from vae_lightning.io.atomic import atomic_write
from vae_lightning.runs.artifacts import is_finished, read_config, read_json, read_metrics
from vae_lightning.runs.layout import CHECKPOINTS, LAST

TRAIN = [sys.executable, str(ROOT / "train.py"), "-m"]
DURATION = "reproduce.json"
EVALUATE = [sys.executable, "-m", "vae_lightning", "evaluate"]


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


def run(row: Row, seed: int, folders: dict[str, str], commands: Interruptible) -> None:
    """Train and evaluate one run of a row, as far as that has not been done, write its record and print its result."""
    run_dir = RUNS / row.run_names[seed]
    run_dir.mkdir(parents=True, exist_ok=True)
    log = run_dir / "reproduce.log"
    start, before = time.monotonic(), last_change(run_dir)
    # A sweep of one job: it skips, resumes or extends the run.
    sweep = [f"hydra.sweep.dir={run_dir.parent}", f"hydra.sweep.subdir={run_dir.name}"]
    seeds = [f"seed={seed}"] if row.seeds > 1 else []
    trained = commands.call([*TRAIN, *row.overrides_with(**folders), *seeds, *sweep], log)
    if last_change(run_dir) != before:
        add_duration(run_dir, time.monotonic() - start)
    metric = row.metric.lstrip("-")
    if trained and row.evaluate and not read_metrics(run_dir).get("evaluation"):  # not since it was trained last
        commands.call([*EVALUATE, str(run_dir), *row.evaluate], log)
    value = read_metrics(run_dir).get(metric) if is_finished(run_dir) else None
    if value is not None:
        made = {"epochs": read_config(run_dir)["trainer"]["max_epochs"], **read_json(run_dir / DURATION, run_dir, "")}
        metrics = [name.lstrip("-") for name in (row.metric, *row.also, "test/nelbo")]
        write_record(RECORDS / row.run_names[seed], run_dir, metrics, {**row.settings(seed), **made})
        if seed == 0:
            copy_images(row)
    print(f"{run_dir}: {f'see {log}' if value is None else f'{metric} {value:.2f}'}", flush=True)


def last_change(run_dir: Path) -> int:
    """Return when the last checkpoint of a run was written, or 0 if there is none."""
    path = run_dir / CHECKPOINTS / LAST
    return path.stat().st_mtime_ns if path.is_file() else 0


def add_duration(run_dir: Path, seconds: float) -> None:
    """Add the duration of a training to those of its run before, and write where it was trained."""
    path = run_dir / DURATION
    before = read_json(path, run_dir, "Delete it.").get("seconds", 0.0)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    now = {
        "seconds": round(before + seconds),
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "torch": version("torch"),
        "lightning": version("lightning"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    atomic_write(json.dumps(now, indent=2) + "\n", path)


def main() -> None:
    """Run all rows, or only write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory of the datasets")
    parser.add_argument("--faces", help="directory of CelebA (default: that of the other datasets)")
    parser.add_argument("--tables", nargs="+", help="names of files in benchmarks/tables/ (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time, with one thread each")
    parser.add_argument("--again", action="store_true", help="train rows as well that have finished on another machine")
    parser.add_argument("--render", action="store_true", help="write docs/results.md from the records so far")
    args = parser.parse_args()
    paths = [TABLES / f"{name}.yaml" for name in args.tables or ()] or sorted(TABLES.glob("*.yaml"))
    # A request to stop, like Ctrl-C, which a shell's background processes ignore.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not args.render:
        commands = Interruptible()
        folders = {"DATA": args.root, "FACES": args.faces or args.root}
        rows = [row for path in paths for row in read_table(path)]
        with ThreadPoolExecutor(args.jobs) as pool:
            runs = [(row, seed) for row in rows for seed in range(row.seeds) if args.again or not row.record(seed)]
            runs.sort(key=lambda run: (run[0].is_long, run[1]))  # the first run of every row before further ones
            jobs = [pool.submit(run, row, seed, folders, commands) for row, seed in runs]
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
