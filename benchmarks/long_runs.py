"""Measure memory, open files, threads and child processes over a long run and a long sweep.

    python benchmarks/long_runs.py                            # 200 epochs, 50 jobs: about 10 minutes on one core
    python benchmarks/long_runs.py --epochs 20 --jobs 5

A small MLP is trained on scikit-learn's digits with all callbacks; figures are drawn and logged every 5 epochs and at
the end. The resources of the process are read from /proc after each epoch, or each job. Then runs are ended by Ctrl-C,
sent to the whole process group as a terminal does, and the remaining processes are counted.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lightning as L
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESOURCES_FILE = "resources.jsonl"
RESOURCES_VARIABLE = "BENCHMARK_RESOURCES"  # the environment variable with its path
OPTIONS = [
    "name=long",
    "data.image_shape=[1,8,8]",
    "data.batch_size=128",
    "model/network=mlp",
    "model.network.hidden_dims=[32]",
    "model.latent_dim=4",
    "trainer=cpu",
    "~callbacks.progress_bar",
    "trainer.enable_progress_bar=false",
]
INTERRUPTED = {
    "one process": ["trainer.max_epochs=100000"],
    "two processes (ddp)": ["trainer.max_epochs=100000", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"],
}


class ResourceMonitor(L.Callback):
    """Records the resources of the process each time a hook is called.

    Args:
        hook: name of the hook.
    """

    def __init__(self, hook: str) -> None:
        setattr(self, hook, lambda *_: record_resources())


def record_resources() -> None:
    """Append one line to the file: MiB of memory, open files, threads, child processes, open figures."""
    from matplotlib import pyplot

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    tasks = list(Path("/proc/self/task").iterdir())
    resources = {
        "MiB": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(tasks),
        "children": sum(len((task / "children").read_text().split()) for task in tasks),
        "figures": len(pyplot.get_fignums()),
    }
    with Path(os.environ[RESOURCES_VARIABLE]).open("a") as file:
        file.write(json.dumps(resources) + "\n")


def run_monitored(arguments: list[str], hook: str, folder: Path) -> list[dict[str, float]]:
    """Run `python train.py ...` in a new process; return the resources recorded at each call of a hook."""
    monitor = f"+callbacks.monitor={{_target_: long_runs.ResourceMonitor, hook: {hook}}}"
    resources_file = folder / RESOURCES_FILE
    environment = os.environ | {"PYTHONPATH": str(ROOT / "benchmarks"), RESOURCES_VARIABLE: str(resources_file)}
    command = [sys.executable, str(ROOT / "train.py"), *arguments, *OPTIONS, monitor]
    folder.mkdir()
    with (folder / "output.txt").open("w") as output:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, check=False)
    if done.returncode:
        sys.exit((folder / "output.txt").read_text())
    return [json.loads(line) for line in resources_file.read_text().splitlines()]


def interrupt(arguments: list[str], folder: Path) -> tuple[int, float, int]:
    """Train and press Ctrl-C; return the exit code, the seconds until the end, and how many processes are left."""
    folder.mkdir()
    command = [sys.executable, str(ROOT / "train.py"), *OPTIONS, *arguments]
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)
    while not list(folder.glob("runs/long/*/checkpoints/last.ckpt")):
        if process.poll() is not None:
            sys.exit((folder / "output.txt").read_text())
        time.sleep(0.1)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait()
    seconds = time.monotonic() - start
    time.sleep(1)
    return code, seconds, len(processes_of_session(process.pid))


def processes_of_session(session: int) -> list[int]:
    """Return the ids of all processes of a session, including zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # after the name: state, parent, group, session
        except OSError:  # the process has just ended
            continue
        if int(fields[3]) == session:
            found.append(int(path.parent.name))
    return found


def resource_table(title: str, records: list[dict[str, float]]) -> Table:
    """Return a table with one row for each of some of the records, numbered from 1."""
    table = Table(title, *records[0], title_justify="left")
    for n in rows_to_show(len(records)):
        table.add_row(str(n), *(f"{value:.0f}" for value in records[n - 1].values()))
    return table


def main() -> None:
    """Measure and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=200, help="epochs of the long run")
    parser.add_argument("--jobs", type=int, default=50, help="jobs of the long sweep")
    args = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        epochs = run_monitored([f"trainer.max_epochs={args.epochs}"], "on_train_epoch_end", root / "epochs")
        console.print(resource_table("after epoch", epochs))
        seeds = ",".join(map(str, range(args.jobs)))
        sweep = ["-m", "sweep=long", f"seed={seeds}", "trainer.max_epochs=6"]
        jobs = run_monitored(sweep, "on_test_end", root / "jobs")
        console.print(resource_table("in job", jobs))
        table = Table("Ctrl-C", "exit code", "seconds", "processes left")
        for n, (name, arguments) in enumerate(INTERRUPTED.items()):
            code, seconds, left = interrupt(arguments, root / f"interrupted{n}")
            table.add_row(name, str(code), f"{seconds:.1f}", str(left))
        console.print(table)


def rows_to_show(n: int) -> list[int]:
    """Return which of n records to show: an early one, after all one-time allocations, and one per quarter."""
    return sorted({min(n, 6), *(max(1, n * k // 4) for k in (1, 2, 3, 4))})


if __name__ == "__main__":
    main()
