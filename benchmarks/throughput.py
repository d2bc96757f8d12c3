"""Compare the training images/s of `python train.py` with plain loops, all measured in one run.

    python benchmarks/throughput.py --root data                        # MNIST in data/MNIST/raw
    python benchmarks/throughput.py --root data --workloads W2 --rounds 3

Each loop is a separate process. All are started, warmed up and stopped. In each round, each of them runs alone for half
a second in turn, so that other load on the machine affects all of them. The rate of a turn counts the steps within
epochs. A ratio is taken within a round, and the median over all rounds is printed.
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
from plain import BATCH_SIZES
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
TITLES = {
    "W1": "W1: conv VAE of the paper, 2 latents, batch size 128",
    "W2": "W2: MLP 784-500-20, batch size 100",
    "W3": "W3: 3 x 64 x 64, burgess, 32 latents, batch size 128",
}
MNIST = ["model=vae", "data=mnist", "data.val_size=0", "monitor=train/objective"]
IMAGES = ["model=vae", "data=image_folder", "data.crop=null", "data.val_fraction=0", "monitor=train/objective"]
COMMANDS = {  # overrides of `python train.py`; all other options have their defaults
    "W1": [*MNIST, "model.latent_dim=2"],
    "W2": [*MNIST, "model.latent_dim=20", "model/network=mlp", "data.batch_size=100"],
    "W3": [*IMAGES, "model/network=burgess", "model.latent_dim=32"],
}
OURS = {"train.py": [], "train.py, bf16-mixed": ["trainer.precision=bf16-mixed"]}
PLAIN = {
    "bare": "bare loop",
    "tuned": "bare loop, tuned allocator",
    "torchvision": "torchvision + DataLoader",
    "lightning": "Lightning, defaults",
}
WARM_UP_STEPS, COMPARED_STEPS = 30, 20


class Process:
    """A loop in a separate process, which is stopped unless it is its turn.

    Args:
        command: arguments of the Python interpreter.
        folder: for its files; created here.
        batch_size: images per step.
    """

    def __init__(self, command: list[str], folder: Path, batch_size: int) -> None:
        self.clock, self.log, self.batch_size = folder / "clock", folder / "log", batch_size
        folder.mkdir()
        environment = os.environ | {"PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        while len(clock.read(self.clock)) < WARM_UP_STEPS:
            if self.process.poll() is not None:
                raise SystemExit(f"{' '.join(command)}\n{self.log.read_text()}")
            time.sleep(0.2)
        self.signal(signal.SIGSTOP)

    def signal(self, signum: int) -> None:
        """Send a signal to the process and all its children."""
        os.killpg(self.process.pid, signum)

    def run_for(self, seconds: float) -> float:
        """Let the loop run for some seconds, not counting the time between epochs; return its images/s."""
        self.signal(signal.SIGCONT)
        start, steps = clock.monotonic(), np.empty(0)
        while steps.sum() < seconds:
            time.sleep(0.1)
            times = clock.read(self.clock)[:, 0]
            first = np.argmax(times > start)  # the step in which it had been stopped
            steps = np.diff(times[first:]) if times[-1] > start or np.isnan(times[-1]) else np.empty(0)
            steps = steps[~np.isnan(steps)]
        self.signal(signal.SIGSTOP)
        return self.batch_size * len(steps) / steps.sum()

    def losses(self) -> np.ndarray:
        """Return the losses of the first steps."""
        losses = clock.read(self.clock)[:, 1]
        return losses[~np.isnan(losses)][:COMPARED_STEPS]


FOLDER = "FOLDER"  # in a command, stands for the folder of its files
Commands = dict[str, list[str]]  # title of a loop -> its command


@contextmanager
def processes(commands: Commands, batch_size: int) -> Iterator[dict[str, Process]]:
    """Start all loops, warm them up and stop them; kill them at the end."""
    started: dict[str, Process] = {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that they are killed after SIGTERM, too
    with tempfile.TemporaryDirectory() as name:
        try:
            for i, (title, command) in enumerate(commands.items()):
                folder = Path(name) / str(i)
                started[title] = Process([word.replace(FOLDER, str(folder)) for word in command], folder, batch_size)
            yield started
        finally:
            for process in started.values():
                process.signal(signal.SIGKILL)
                process.process.wait()
            shutil.rmtree(name, ignore_errors=True)


def train_command(overrides: list[str], root: str) -> list[str]:
    """Return a command that trains until it is killed and records its steps."""
    return [
        str(HERE.parent / "train.py"),
        *overrides,
        f"data.root={root}",
        "trainer.max_epochs=1000",
        f"hydra.run.dir={FOLDER}/run",
        "+callbacks.clock._target_=clock.Clock",
        f"+callbacks.clock.path={FOLDER}/clock",
    ]


def workload_commands(workload: str, root: str) -> Commands:
    """Return the commands of all loops of a workload."""
    plain = {
        title: [str(HERE / "plain.py"), loop, workload, f"{FOLDER}/clock", "--root", root]
        for loop, title in PLAIN.items()
    }
    return plain | {title: train_command([*COMMANDS[workload], *options], root) for title, options in OURS.items()}


def make_images(folder: Path) -> None:
    """Write 2,000 images of 3 x 64 x 64 for W3."""
    make_jpegs(folder / "train" / "0", 2000, size=(64, 64))
    make_jpegs(folder / "test" / "0", 10, size=(64, 64))


def measure(commands: Commands, batch_size: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the images/s of each loop in each round."""
    with processes(commands, batch_size) as started:
        check_losses({title: process.losses() for title, process in started.items()})
        rates: dict[str, list[float]] = {title: [] for title in started}
        for _ in range(rounds):
            for title, process in started.items():
                rates[title].append(process.run_for(seconds))
    return rates


def check_losses(losses: dict[str, np.ndarray]) -> None:
    """Exit unless the losses of the first steps agree, since all loops use the same images, weights and noise."""
    reference = losses[PLAIN["bare"]]
    for title, values in losses.items():
        difference = float(np.abs(values / reference - 1).max())
        if not difference < (0.02 if "bf16" in title else 1e-3):
            raise SystemExit(f"{title}: the losses differ from those of the bare loop.\n{values}\n{reference}")


def ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return the ratio of each loop to the bare loop in each round."""
    bare = rates[PLAIN["bare"]]
    return {title: [a / b for a, b in zip(values, bare, strict=True)] for title, values in rates.items()}


def print_table(title: str, rates: dict[str, list[float]]) -> None:
    """Print a table."""
    table = Table(title, "images/s", "ratio to the bare loop", "quartiles")
    for loop, values in ratios(rates).items():
        low, middle, high = quantiles(values)
        table.add_row(loop, f"{median(rates[loop]):,.0f}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    Console(width=120).print(table)


def plot(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Plot the ratios as bars with their quartiles, one panel per workload."""
    figure, axes = plt.subplots(
        1, len(results), figsize=(4 * len(results), 2.8), sharex=True, sharey=True, layout="constrained"
    )
    for axis, (workload, rates) in zip(np.atleast_1d(axes), results.items(), strict=True):
        for title, values in ratios(rates).items():
            low, middle, high = quantiles(values)
            color = "C0" if title in OURS else "0.7"
            axis.barh(title, middle, xerr=[[middle - low], [high - middle]], color=color, ecolor="0.3")
        axis.axvline(1, color="0.3", linewidth=0.8)
        axis.set(title=workload, xlabel="images/s, relative to the bare loop")
    np.atleast_1d(axes)[0].invert_yaxis()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print tables, and write the files that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory that contains MNIST/raw/")
    parser.add_argument("--workloads", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--rounds", type=int, default=41, help="number of turns of each loop")
    parser.add_argument("--seconds", type=float, default=0.5, help="duration of each turn")
    parser.add_argument("--plot", type=Path, help="plot the ratios to this file")
    parser.add_argument("--json", type=Path, help="write all rates to this file")
    args = parser.parse_args()
    results = {}
    for workload in args.workloads:
        with tempfile.TemporaryDirectory() as images:
            root = args.root
            if workload == "W3":
                root = images
                make_images(Path(images))
            commands = workload_commands(workload, root)
            results[workload] = measure(commands, BATCH_SIZES[workload], args.rounds, args.seconds)
        print_table(TITLES[workload], results[workload])
    if args.json:
        args.json.write_text(json.dumps(results))
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
