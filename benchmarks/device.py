"""Compare the step time of `python train.py` on a GPU with the time that the GPU itself needs for a step.

    python benchmarks/device.py --root data          # MNIST in data/MNIST/raw
    python benchmarks/device.py --root data --accelerator cpu --compile null --cases W1-128 --whole 0    # no GPU

The device time is the sum over the kernels of a compiled step, as measured by the profiler; no host could be faster. On
a CPU it is the time of the same loop. The last line of the output is the time of a whole training of
experiment=mnist_vae.
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
from throughput import COMMANDS, HERE, make_images

BATCH_SIZES = {"W1-128": 128, "W1-1024": 1024, "W3-128": 128, "W3-256": 256, "W3-512": 512}
IMAGE_SHAPES = {"W1": (1, 28, 28), "W3": (3, 64, 64)}
WARM_UP_STEPS, STEPS = 20, 50


class EpochTimer(L.Callback):
    """Writes the training time and the number of steps of each epoch to a file, without validation.

    It waits for the device twice per epoch.

    Args:
        path: a JSON file, [[seconds, steps], ...].
    """

    def __init__(self, path: str) -> None:
        self.path, self.start = Path(path), 0.0
        self.epochs: list[tuple[float, int]] = []

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the timer."""
        synchronize()
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        """Stop the timer after the last batch."""
        if trainer.is_last_batch:
            synchronize()
            self.epochs.append((time.perf_counter() - self.start, trainer.num_training_batches))
            self.path.write_text(json.dumps(self.epochs))


def synchronize() -> None:
    """Wait until the device has finished all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def device_time(workload: str, batch_size: int, device: str, compile_mode: str | None) -> float:
    """Return the seconds per step that the device is busy with model, loss, gradients and fused Adam."""
    torch.manual_seed(0)
    model = MODELS[workload]().to(device)
    loss_fn = torch.compile(model, mode=compile_mode) if compile_mode else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    x = torch.rand(batch_size, *IMAGE_SHAPES[workload], device=device)

    def run_steps(n: int) -> None:
        for _ in range(n):
            loss = loss_fn(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        synchronize()

    run_steps(WARM_UP_STEPS)
    if device == "cpu":
        start = time.perf_counter()
        run_steps(STEPS)
        return (time.perf_counter() - start) / STEPS
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run_steps(STEPS)
    return sum(event.self_device_time_total for event in profile.key_averages()) * 1e-6 / STEPS


def train(overrides: list[str], epochs: int) -> list[tuple[float, int]]:
    """Run `python train.py`; return the seconds and the number of steps of each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE.parent / "train.py"), *overrides, f"trainer.max_epochs={epochs}"]
        command += [f"hydra.run.dir={folder}/run", f"+callbacks.timer.path={folder}/epochs"]
        command += ["+callbacks.timer._target_=device.EpochTimer"]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE)}, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        return json.loads(Path(folder, "epochs").read_text())


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory that contains MNIST/raw/")
    parser.add_argument("--accelerator", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--compile", default="reduce-overhead", help="mode of torch.compile, or null")
    parser.add_argument("--cases", nargs="*", choices=BATCH_SIZES, default=list(BATCH_SIZES))
    parser.add_argument("--epochs", type=int, default=4, help="epochs per case; the first one is not counted")
    parser.add_argument("--whole", type=int, default=30, help="epochs of experiment=mnist_vae; 0 to skip it")
    args = parser.parse_args()
    device = "cuda" if args.accelerator == "gpu" else "cpu"
    common = [f"trainer.accelerator={args.accelerator}", f"compile={args.compile}"]
    table = Table("case", "device, ms per step", "train.py, ms per step", "ratio", "images/s")
    with tempfile.TemporaryDirectory() as images:
        make_images(Path(images))
        for case in args.cases:
            workload, batch_size = case.split("-")[0], BATCH_SIZES[case]
            root = args.root if workload == "W1" else images
            overrides = [*COMMANDS[workload], *common, f"data.batch_size={batch_size}", f"data.root={root}"]
            epochs = train(overrides, args.epochs)
            ours = median(seconds / steps for seconds, steps in epochs[1:] or epochs)
            busy = device_time(workload, batch_size, device, None if args.compile == "null" else args.compile)
            rate = f"{batch_size / ours:,.0f}"
            table.add_row(case, f"{busy * 1e3:.3f}", f"{ours * 1e3:.3f}", f"{ours / busy:.2f}", rate)
    Console(width=100).print(table)
    if args.whole:
        epochs = train(["experiment=mnist_vae", *common, f"data.root={args.root}"], args.whole)
        print(f"{args.whole} epochs of experiment=mnist_vae: {sum(seconds for seconds, _ in epochs):.1f} s")


if __name__ == "__main__":
    main()
