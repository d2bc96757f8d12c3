"""Do memory, open files, threads and processes stay flat over a long run and a long sweep, and is nothing left behind?

    python benchmarks/long_runs.py                            # 200 epochs, 50 jobs: about 10 minutes on one core
    python benchmarks/long_runs.py --epochs 20 --jobs 5

A small MLP on the embedded digits, with all callbacks: figures are drawn and logged every 5 epochs and at the end. What
the process holds is read from /proc after each epoch, or each job. Then runs are ended by Ctrl-C, sent to the whole
process group as a terminal does, and what is left of the group is counted.
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
WATCHED = "watched.jsonl"
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


class Watch(L.Callback):
    """Note what the process holds when a hook is called.

    Args:
        hook: the name of the hook.
    """

    def __init__(self, hook: str) -> None:
        setattr(self, hook, lambda *_: note())


def note() -> None:
    """Add a line to the notes: MiB of memory, open files, threads, child processes, open figures."""
    from matplotlib import pyplot

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    tasks = list(Path("/proc/self/task").iterdir())
    held = {
        "MiB": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(tasks),
        "children": sum(len((task / "children").read_text().split()) for task in tasks),
        "figures": len(pyplot.get_fignums()),
    }
    with Path(os.environ["WATCHED"]).open("a") as file:
        file.write(json.dumps(held) + "\n")


def watched(arguments: list[str], hook: str, folder: Path) -> list[dict[str, float]]:
    """Run `python train.py ...` in a process of its own; return what was noted at each call of a hook."""
    watch = f"+callbacks.watch={{_target_: long_runs.Watch, hook: {hook}}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks"), "WATCHED": str(folder / WATCHED)}
    command = [sys.executable, str(ROOT / "train.py"), *arguments, *OPTIONS, watch]
    folder.mkdir()
    with (folder / "output.txt").open("w") as output:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, check=False)
    if done.returncode:
        sys.exit((folder / "output.txt").read_text())
    return [json.loads(line) for line in (folder / WATCHED).read_text().splitlines()]


def left_after_ctrl_c(arguments: list[str], folder: Path) -> tuple[int, float, int]:
    """Train, press Ctrl-C; return the exit code, the seconds until the end, and how many processes are left."""
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
    return code, seconds, len(of_session(process.pid))


def of_session(session: int) -> list[int]:
    """The processes of a session, zombies among them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # after the name: state, parent, group, session
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            found.append(int(path.parent.name))
    return found


def shown(title: str, notes: list[dict[str, float]], at: list[int]) -> Table:
    """A row for each of some of the notes, counted from 1."""
    table = Table(title, *notes[0], title_justify="left")
    for n in at:
        table.add_row(str(n), *(f"{value:.0f}" for value in notes[n - 1].values()))
    return table


def main() -> None:
    """Measure, print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=50)
    args = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        epochs = watched([f"trainer.max_epochs={args.epochs}"], "on_train_epoch_end", root / "epochs")
        console.print(shown("after epoch", epochs, steps(args.epochs)))
        seeds = ",".join(map(str, range(args.jobs)))
        sweep = ["-m", "sweep=long", f"seed={seeds}", "trainer.max_epochs=6"]
        jobs = watched(sweep, "on_test_end", root / "jobs")
        console.print(shown("in job", jobs, steps(args.jobs)))
        table = Table("Ctrl-C", "exit code", "seconds", "processes left")
        for n, (name, arguments) in enumerate(INTERRUPTED.items()):
            code, seconds, left = left_after_ctrl_c(arguments, root / f"interrupted{n}")
            table.add_row(name, str(code), f"{seconds:.1f}", str(left))
        console.print(table)


def steps(n: int) -> list[int]:
    """Where to look at n notes: early, when all that is loaded once has been, and at each quarter."""
    return sorted({min(n, 6), *(max(1, n * k // 4) for k in (1, 2, 3, 4))})


if __name__ == "__main__":
    main()
