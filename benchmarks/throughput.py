"""Training images/s of `python train.py` beside plain loops, all measured in one run.

    python benchmarks/throughput.py --root data                        # MNIST in data/MNIST/raw
    python benchmarks/throughput.py --root data --workloads W2 --rounds 3

Each loop is a process of its own. All are started and warmed up, then each runs alone for half a second while the
others are halted, turn by turn and round by round: whatever else the machine does meets them all. The rate of a turn
counts the steps within epochs; a ratio is taken within a round, and the median over the rounds is told.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import clock
import matplotlib.pyplot as plt
import numpy as np
from loading import make_jpegs
from plain import BATCH
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
TITLES = {
    "W1": "W1: conv VAE of the paper, latent 2, batch 128",
    "W2": "W2: MLP 784-500-20, batch 100",
    "W3": "W3: 64 x 64 x 3, burgess, latent 32, batch 128",
}
MNIST = ["model=vae", "data=mnist", "data.val_size=0", "monitor=train/objective"]
FOLDER = ["model=vae", "data=image_folder", "data.crop=null", "data.val_share=0", "monitor=train/objective"]
COMMANDS = {  # what `python train.py` is given; all else is its default
    "W1": [*MNIST, "model.latent_dim=2"],
    "W2": [*MNIST, "model.latent_dim=20", "model/network=mlp", "data.batch_size=100"],
    "W3": [*FOLDER, "model/network=burgess", "model.latent_dim=32"],
}
OURS = {"train.py": [], "train.py, bf16-mixed": ["trainer.precision=bf16-mixed"]}
PLAIN = {
    "bare": "bare loop",
    "kept": "bare loop, memory kept",
    "torchvision": "torchvision + DataLoader",
    "lightning": "Lightning, defaults",
}
WARM_UP, COMPARED = 30, 20  # steps


class Process:
    """One loop in a process of its own, halted unless it is its turn."""

    def __init__(self, command: list[str], folder: Path, batch: int) -> None:
        self.clock, self.log, self.batch = folder / "clock", folder / "log", batch
        folder.mkdir()
        environment = os.environ | {"PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        while len(clock.read(self.clock)) < WARM_UP:
            if self.process.poll() is not None:
                raise SystemExit(f"{' '.join(command)}\n{self.log.read_text()}")
            time.sleep(0.2)
        self.signal(signal.SIGSTOP)

    def signal(self, signum: int) -> None:
        """To the process and all that it has started."""
        os.killpg(self.process.pid, signum)

    def turn(self, seconds: float) -> float:
        """Let it run for so long, but for an epoch's end: images/s."""
        self.signal(signal.SIGCONT)
        start, steps = clock.monotonic(), np.empty(0)
        while steps.sum() < seconds:
            time.sleep(0.1)
            times = clock.read(self.clock)[:, 0]
            first = np.argmax(times > start)  # the step that was halted
            steps = np.diff(times[first:]) if times[-1] > start or np.isnan(times[-1]) else np.empty(0)
            steps = steps[~np.isnan(steps)]
        self.signal(signal.SIGSTOP)
        return self.batch * len(steps) / steps.sum()

    def losses(self) -> np.ndarray:
        """The losses of the first steps."""
        losses = clock.read(self.clock)[:, 1]
        return losses[~np.isnan(losses)][:COMPARED]


@contextmanager
def processes(workload: str, root: str) -> Iterator[dict[str, Process]]:
    """All loops of one workload, warmed up and halted."""
    started: dict[str, Process] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if workload == "W3":
            root = f"{name}/images"
            make_pictures(Path(root))
        try:
            for loop, title in PLAIN.items():
                command = [str(HERE / "plain.py"), loop, workload, str(folder / loop / "clock"), "--root", root]
                started[title] = Process(command, folder / loop, BATCH[workload])
            for i, (title, options) in enumerate(OURS.items()):
                run = folder / f"ours{i}"
                command = [str(HERE.parent / "train.py"), *COMMANDS[workload], *options, f"data.root={root}"]
                command += ["trainer.max_epochs=1000", f"hydra.run.dir={run}/run"]
                command += ["+callbacks.clock._target_=clock.Clock", f"+callbacks.clock.path={run}/clock"]
                started[title] = Process(command, run, BATCH[workload])
            yield started
        finally:
            for process in started.values():
                process.signal(signal.SIGKILL)
                process.process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def make_pictures(folder: Path) -> None:
    """2,000 images of 3 x 64 x 64 for W3."""
    make_jpegs(folder / "train" / "0", 2000, size=(64, 64))
    make_jpegs(folder / "test" / "0", 10, size=(64, 64))


def measure(workload: str, root: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Images/s of each loop in each round."""
    with processes(workload, root) as started:
        refuse_other_losses({title: process.losses() for title, process in started.items()})
        rates: dict[str, list[float]] = {title: [] for title in started}
        for _ in range(rounds):
            for title, process in started.items():
                rates[title].append(process.turn(seconds))
    return rates


def refuse_other_losses(losses: dict[str, np.ndarray]) -> None:
    """All loops see the same images, weights and noise: exit unless the losses of the first steps agree."""
    reference = losses[PLAIN["bare"]]
    for title, these in losses.items():
        difference = float(np.abs(these / reference - 1).max())
        if not difference < (0.02 if "bf16" in title else 1e-3):
            raise SystemExit(f"{title}: its losses are not those of the bare loop\n{these}\n{reference}")


def ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Of each loop to the bare one, round by round."""
    bare = rates[PLAIN["bare"]]
    return {title: [a / b for a, b in zip(these, bare, strict=True)] for title, these in rates.items()}


def show(workload: str, rates: dict[str, list[float]]) -> None:
    """Print a table."""
    table = Table(TITLES[workload], "images/s", "ratio to the bare loop", "quartiles")
    for title, these in ratios(rates).items():
        low, middle, high = quantiles(these)
        table.add_row(title, f"{median(rates[title]):,.0f}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    Console(width=120).print(table)


def plot(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw the ratios as bars with their quartiles, one panel a workload."""
    figure, axes = plt.subplots(1, len(results), figsize=(4 * len(results), 2.8), sharey=True, layout="constrained")
    for axis, (workload, rates) in zip(np.atleast_1d(axes), results.items(), strict=True):
        for title, these in ratios(rates).items():
            low, middle, high = quantiles(these)
            color = "C0" if title in OURS else "0.7"
            axis.barh(title, middle, xerr=[[middle - low], [high - middle]], color=color, ecolor="0.3")
        axis.axvline(1, color="0.3", linewidth=0.8)
        axis.set(title=workload, xlabel="images/s, the bare loop = 1")
    np.atleast_1d(axes)[0].invert_yaxis()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print, and draw where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="the folder that holds MNIST/raw/")
    parser.add_argument("--workloads", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    parser.add_argument("--plot", type=Path, help="draw the ratios into this file")
    parser.add_argument("--json", type=Path, help="keep all rates in this file")
    args = parser.parse_args()
    results = {}
    for workload in args.workloads:
        results[workload] = measure(workload, args.root, args.rounds, args.seconds)
        show(workload, results[workload])
    if args.json:
        args.json.write_text(json.dumps(results))
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
