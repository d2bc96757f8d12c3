"""Compare the training images/s of every model with those of `vae` with the same network, and with its arithmetic.

    python benchmarks/variants.py --root data                             # MNIST in data/MNIST/raw
    python benchmarks/variants.py --root data --models iwae factor_vae

`python train.py` trains both in processes that take turns, as in `throughput.py`. The floating-point operations of one
step (matrix products and convolutions, forward and backward) are counted in the same runs. So a model whose rate,
relative to that of `vae`, is below the inverse ratio of their operations, spends time on something else. The last
column is the fraction of the rate of a large matrix product, measured in the same turns.
"""

import argparse
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import lightning as L
import torch
from hydra import compose, initialize_config_dir
from models import BATCH_SIZE, MNIST
from rich.console import Console
from rich.table import Table
from throughput import FOLDER, HERE, processes, train_command
from torch.utils.flop_counter import FlopCounterMode

# They need a trained run, or known factors.
LEFT_OUT = ("latent_prior", "of_run", "ada_gvae", "ada_ml_vae", "s2_beta_vae", "s2_beta_tcvae")
OPTIONS = {"m2": ["data.labeled_per_class=10", "data.val_size=5000"]}
MATRIX = 2048  # side of the matrices


class FlopCounter(L.Callback):
    """Counts the floating-point operations of the first training step and writes them to a file.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.counter: FlopCounterMode | None = FlopCounterMode(display=False)

    def on_train_batch_start(self, *_: Any) -> None:
        """Start counting."""
        if self.counter:
            self.counter.__enter__()

    def on_train_batch_end(self, *_: Any) -> None:
        """Stop counting for good."""
        if self.counter:
            self.counter.__exit__(None, None, None)
            self.path.write_text(str(self.counter.get_total_flops()))
            self.counter = None


def network_of(model: str) -> str:
    """Return the default network of a model; for the ladder, which `vae` does not support, another one with maps."""
    with initialize_config_dir(str(HERE.parent / "conf"), version_base="1.3"):
        config = compose("train", [f"model={model}"], return_hydra_config=True)
    network = config.hydra.runtime.choices["model/network"]
    return "spatial_resnet" if network == "ladder" else network


def command(model: str, options: list[str], root: str) -> list[str]:
    """Return the command that trains a model and counts its operations."""
    counter = ["+callbacks.flops._target_=variants.FlopCounter", f"+callbacks.flops.path={FOLDER}/flops"]
    return [*train_command([f"model={model}", *MNIST, *options], root), *counter]


def matrix_rate(seconds: float) -> float:
    """Return the floating-point operations per second of a large matrix product."""
    a = torch.rand(MATRIX, MATRIX)
    start, n = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        a @ a
        n += 1
    return 2 * MATRIX**3 * n / (time.monotonic() - start)


def measure(model: str, root: str, rounds: int, seconds: float) -> list[str]:
    """Return the row of a model: rate, ratio to `vae`, the ratio that its operations explain, fraction of the peak."""
    commands = {
        "vae": command("vae", [f"model/network={network_of(model)}"], root),
        model: command(model, OPTIONS.get(model, []), root),
    }
    rates: list[tuple[float, float, float]] = []
    with processes({"reference": commands["vae"], "model": commands[model]}, BATCH_SIZE) as started:
        reference, measured = started["reference"], started["model"]
        flops = [int((process.log.parent / "flops").read_text()) / BATCH_SIZE for process in (reference, measured)]
        for _ in range(rounds):
            rates.append((reference.run_for(seconds), measured.run_for(seconds), matrix_rate(seconds / 4)))
    ratios = [rate / vae for vae, rate, _ in rates]
    low, middle, high = quantiles(ratios)
    expected = flops[0] / flops[1]
    peak = median(rate * flops[1] / peak for _, rate, peak in rates)
    return [
        model,
        f"{median(rate for _, rate, _ in rates):,.0f}",
        f"{middle:.2f} ({low:.2f} to {high:.2f})",
        f"{expected:.2f}",
        f"{middle / expected:.2f}",
        f"{peak:.2f}",
    ]


def main() -> None:
    """Measure the models and print a table, a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory that contains MNIST/raw/")
    parser.add_argument("--models", nargs="+", help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="number of turns of each model")
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each turn")
    args = parser.parse_args()
    files = sorted((HERE.parent / "conf" / "model").glob("*.yaml"))
    models = args.models or [file.stem for file in files if file.stem not in LEFT_OUT]
    table = Table("model", "images/s", "rate / vae", "operations", "rate / operations", "of the peak")
    for model in models:
        row = measure(model, args.root, args.rounds, args.seconds)
        print("  ".join(row), flush=True)
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
