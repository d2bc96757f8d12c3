"""Start-up and training time of this checkout beside another one, alternating in one run.

    git worktree add ../other COMMIT
    python benchmarks/versions.py ../other --root data        # MNIST in data/MNIST/raw

Each command runs in a new process whose current directory is a checkout, so that its code is imported. An environment
that contains neither checkout is needed: install the dependencies alone (`pip install -r` of a list without
vae-lightning), or start Python with a `.pth` file that points to the packages of `.venv`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import clock
import numpy as np
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parents[1]
TYPO = "model.latent_dmi=3"
TRAIN = ["model/network=mlp", "model.latent_dim=20", "callbacks=minimal", "logger=none", "trainer=cpu"]


def seconds(checkout: Path, *arguments: str) -> float:
    """Return the wall time of `python train.py ARGUMENTS` in a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", *arguments, f"hydra.run.dir={folder}/run"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}  # for the callback `clock.Clock`
        start = time.monotonic()
        subprocess.run(command, cwd=checkout, env=environment, capture_output=True, check=TYPO not in arguments)
        return time.monotonic() - start


def step_time(checkout: Path, root: Path) -> float:
    """Return the median time of a training step on MNIST, in seconds."""
    with tempfile.NamedTemporaryFile() as file:
        callback = f"+callbacks.clock={{_target_: clock.Clock, path: {file.name}}}"
        seconds(checkout, "data=mnist", f"data.root={root.absolute()}", "trainer.max_epochs=2", *TRAIN, callback)
        return float(np.nanmedian(np.diff(clock.read(Path(file.name))[:, 0])))


def measure(checkout: Path, root: Path) -> dict[str, float]:
    """Return the time of each measurement, in seconds."""
    return {
        "an unknown option is reported, s": seconds(checkout, TYPO),
        "one epoch of the digits, s": seconds(checkout, "trainer.max_epochs=1", *TRAIN),
        "a training step (MNIST, MLP, batch 128), ms": 1000 * step_time(checkout, root),
    }


def main() -> None:
    """Measure both checkouts in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--root", type=Path, default=Path("data"), help="directory of MNIST/raw")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds = [(measure(HERE, options.root), measure(options.other, options.root)) for _ in range(options.rounds)]
    table = Table("median", "this checkout", "the other", "ratio")
    for name in rounds[0][0]:
        ours, theirs = ([pair[k][name] for pair in rounds] for k in (0, 1))
        ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
        table.add_row(name, f"{median(ours):.2f}", f"{median(theirs):.2f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
