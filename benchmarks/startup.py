"""Time from `python train.py` to the end of the first training step, beside that of importing torch and Lightning.

    python benchmarks/startup.py --rounds 5

Each command runs in a new process. The commands take turns.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import clock

BENCHMARKS = Path(__file__).parent
TRAIN = str(BENCHMARKS.parent / "train.py")


def imports() -> float:
    """Return the seconds from the start of a process to the end of its imports, without its exit."""
    code = "import torch, lightning, clock; print(clock.monotonic())"
    start = clock.monotonic()
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=BENCHMARKS).stdout
    return float(output) - start


def help_page() -> float:
    """Return the seconds that `--help` takes."""
    start = clock.monotonic()
    subprocess.run([sys.executable, TRAIN, "--help"], check=True, capture_output=True)
    return clock.monotonic() - start


def first_step() -> float:
    """Return the seconds from the start of the default training to the end of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder, "times")
        record = ["+callbacks.clock._target_=clock.Clock", f"+callbacks.clock.path={times}"]
        command = [sys.executable, TRAIN, "trainer.max_epochs=1", f"hydra.run.dir={folder}/run", *record]
        start = clock.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
        rows = clock.read(times)
        return float(rows[1, 0]) - start  # the first row separates epochs


MEASURED = {
    "import torch, lightning": imports,
    "python train.py, to the end of the first step": first_step,
    "python train.py --help": help_page,
}


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = [[measure() for measure in MEASURED.values()] for _ in range(parser.parse_args().rounds)]
    for name, *values in zip(MEASURED, *rounds, strict=True):
        ratios = [value / first[0] for value, first in zip(values, rounds, strict=True)]
        print(f"{name:46} {median(values):5.2f} s   {median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
