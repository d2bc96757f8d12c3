"""Training on a GPU: the steps of `python train.py` beside the time that the device itself needs for them.

    python benchmarks/device.py --root data          # MNIST in data/MNIST/raw
    python benchmarks/device.py --root data --accelerator cpu --compile null --cases W1-128 --whole 0    # without a GPU

The device's own time is the sum over the kernels of a compiled step, as the profiler tells it: no host could be faster.
On a CPU it is the time of the same loop. The last line is the whole training of experiment=mnist_vae.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import lightning as L
import torch
from plain import MODELS
from rich.console import Console
from rich.table import Table
from throughput import COMMANDS, HERE, make_pictures

CASES = {"W1-128": 128, "W1-1024": 1024, "W3-128": 128, "W3-256": 256, "W3-512": 512}  # batch sizes
SHAPES = {"W1": (1, 28, 28), "W3": (3, 64, 64)}
WARM_UP, STEPS = 20, 50


class Epochs(L.Callback):
    """Write down the seconds and the steps of each epoch's training, validation apart; the device is waited for twice.

    Args:
        path: a file of JSON, [[seconds, steps], ...].
    """

    def __init__(self, path: str) -> None:
        self.path, self.start = Path(path), 0.0
        self.epochs: list[tuple[float, int]] = []

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the clock."""
        wait()
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        """Stop it after the last batch."""
        if trainer.is_last_batch:
            wait()
            self.epochs.append((time.perf_counter() - self.start, trainer.num_training_batches))
            self.path.write_text(json.dumps(self.epochs))


def wait() -> None:
    """Until the device has done what it was told to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def own_time(workload: str, batch: int, device: str, mode: str | None) -> float:
    """The seconds that the device is busy with one step: model, loss, gradient, fused Adam."""
    torch.manual_seed(0)
    model = MODELS[workload]().to(device)
    loss_of = torch.compile(model, mode=mode) if mode else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    x = torch.rand(batch, *SHAPES[workload], device=device)

    def steps(n: int) -> None:
        for _ in range(n):
            loss = loss_of(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        wait()

    steps(WARM_UP)
    if device == "cpu":
        start = time.perf_counter()
        steps(STEPS)
        return (time.perf_counter() - start) / STEPS
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        steps(STEPS)
    return sum(event.self_device_time_total for event in profile.key_averages()) * 1e-6 / STEPS


def train(overrides: list[str], epochs: int) -> list[tuple[float, int]]:
    """The seconds and the steps of each epoch of `python train.py`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE.parent / "train.py"), *overrides, f"trainer.max_epochs={epochs}"]
        command += [f"hydra.run.dir={folder}/run", f"+callbacks.epochs.path={folder}/epochs"]
        command += ["+callbacks.epochs._target_=device.Epochs"]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE)}, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        return json.loads(Path(folder, "epochs").read_text())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="the folder that holds MNIST/raw/")
    parser.add_argument("--accelerator", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--compile", default="reduce-overhead", help="a mode of torch.compile, or null")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--epochs", type=int, default=4, help="of each case; the first is left out")
    parser.add_argument("--whole", type=int, default=30, help="epochs of experiment=mnist_vae; 0: leave it out")
    args = parser.parse_args()
    device = "cuda" if args.accelerator == "gpu" else "cpu"
    common = [f"trainer.accelerator={args.accelerator}", f"compile={args.compile}"]
    table = Table("case", "the device's own ms a step", "train.py, ms a step", "ratio", "images/s")
    with tempfile.TemporaryDirectory() as pictures:
        make_pictures(Path(pictures))
        for case in args.cases:
            workload, batch = case.split("-")[0], CASES[case]
            root = args.root if workload == "W1" else pictures
            epochs = train([*COMMANDS[workload], *common, f"data.batch_size={batch}", f"data.root={root}"], args.epochs)
            ours = median(seconds / steps for seconds, steps in epochs[1:] or epochs)
            own = own_time(workload, batch, device, None if args.compile == "null" else args.compile)
            table.add_row(case, f"{own * 1e3:.3f}", f"{ours * 1e3:.3f}", f"{ours / own:.2f}", f"{batch / ours:,.0f}")
    Console(width=100).print(table)
    if args.whole:
        epochs = train(["experiment=mnist_vae", *common, f"data.root={args.root}"], args.whole)
        print(f"{args.whole} epochs of experiment=mnist_vae: {sum(seconds for seconds, _ in epochs):.1f} s")


if __name__ == "__main__":
    main()
