"""Check and measure everything on a GPU within a time limit, the most important first.

    python benchmarks/gpu.py --root data --out results                                      # 9 minutes on one GPU
    python benchmarks/gpu.py --root data --out results --accelerator cpu --epochs 1 --rows 0 # tries the script itself

The report in `results/gpu.md` is written after each step, and so is the output of each command, so nothing is lost if
the time ends. Steps that do not fit into the time left are listed as not run.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tables import ROOT, TABLES, Row, read_table

TRAIN = [sys.executable, str(ROOT / "train.py")]
SMALL = [
    "data=digits",
    "callbacks=minimal",
    "logger=none",
    "~callbacks.progress_bar",
    "trainer.enable_progress_bar=false",
]
MIN_SECONDS = 20  # that a step must have left to be started


class Report:
    """Runs commands until the time is over, and writes a line for each.

    Args:
        out: directory of the report and the output of the commands.
        seconds: time for all commands.
    """

    def __init__(self, out: Path, seconds: float) -> None:
        self.out, self.end = out, time.monotonic() + seconds
        self.lines = ["| step | result | seconds |", "| --- | --- | --- |"]
        out.mkdir(parents=True, exist_ok=True)

    def step(self, name: str, run: Callable[[], str]) -> None:
        """Run a step, if there is time, and write its result or its error."""
        start = time.monotonic()
        if self.end - start < MIN_SECONDS:
            result = "not run"
        else:
            try:
                result = run()
            except subprocess.TimeoutExpired:
                result = "the time is over"
            except (OSError, RuntimeError) as error:
                result = f"failed: {error}"
        self.lines.append(f"| {name} | {result} | {time.monotonic() - start:.0f} |")
        print(self.lines[-1], flush=True)
        (self.out / "gpu.md").write_text("\n".join(self.lines) + "\n")

    def call(self, name: str, command: list[str]) -> str:
        """Run a command, keep its output in a file and return it.

        Raises:
            RuntimeError: if it fails.
            subprocess.TimeoutExpired: if the time is over.
        """
        log = self.out / f"{name}.txt"
        with log.open("w") as file:
            environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"}
            seconds = self.end - time.monotonic()
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, timeout=seconds)
        if done.returncode:
            raise RuntimeError(f"see {log.name}: {log.read_text().strip().splitlines()[-1:]}")
        return log.read_text()


def resume_is_exact(report: Report, device: list[str]) -> str:
    """Compare a run of two epochs with one of a single epoch that is resumed."""
    whole, resumed = (report.out / "runs" / name for name in ("whole", "resumed"))
    report.call("whole", [*TRAIN, *SMALL, *device, "trainer.max_epochs=2", f"hydra.run.dir={whole}"])
    report.call("first", [*TRAIN, *SMALL, *device, "trainer.max_epochs=1", f"hydra.run.dir={resumed}"])
    report.call("second", [*TRAIN, f"resume={resumed}", "trainer.max_epochs=2"])
    a, b = (torch.load(run / "checkpoints" / "last.ckpt", map_location="cpu")["state_dict"] for run in (whole, resumed))
    return "equal to the bit" if all(torch.equal(a[name], b[name]) for name in a) else "DIFFERENT"


def final_nelbo(report: Report, name: str, options: list[str]) -> str:
    """Train on the digits with some options and return the test nelbo."""
    run = report.out / "runs" / name
    report.call(name, [*TRAIN, *SMALL, *options, f"hydra.run.dir={run}"])
    return f"test nelbo {json.loads((run / 'metrics.json').read_text())['test/nelbo']:.2f}"


def speed(report: Report, name: str, options: list[str]) -> str:
    """Return the tables of `device.py`."""
    text = report.call(name, [sys.executable, str(ROOT / "benchmarks" / "device.py"), *options])
    return "<br>".join(line for line in text.splitlines() if any(word in line for word in ("W1-", "W3-", "epochs of")))


def train_row(report: Report, row: Row, root: str, device: list[str], name: str) -> str:
    """Train and evaluate a row of `make reproduce` on the device."""
    run = report.out / "runs" / name
    report.call(name, [*TRAIN, *row.overrides_with(DATA=root), *device, f"hydra.run.dir={run}"])
    command = [sys.executable, "-m", "vae_lightning", "evaluate", str(run), "--only", "likelihood", "--chunk", "20000"]
    report.call(f"{name}-evaluation", command)
    return f"log p(x) {json.loads((run / 'metrics.json').read_text())['likelihood/log_px']:.2f}"


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory of the datasets")
    parser.add_argument("--out", default=os.environ.get("OUT", "gpu"), type=Path, help="directory of the results")
    parser.add_argument("--accelerator", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--epochs", type=int, default=30, help="of experiment=mnist_vae")
    parser.add_argument("--rows", type=int, default=20, help="of the tables of likelihoods, as far as the time goes")
    args = parser.parse_args()
    report = Report(args.out, 60 * args.minutes)
    device = [f"trainer.accelerator={args.accelerator}"]
    gpu = args.accelerator == "gpu"
    report.step("device", lambda: torch.cuda.get_device_name() if gpu else "CPU")
    report.step("resumed run", lambda: resume_is_exact(report, device))
    for precision in ("32-true", "bf16-mixed", *(["16-mixed"] if gpu else [])):
        options = [*device, f"trainer.precision={precision}", "trainer.max_epochs=3"]
        report.step(f"precision {precision}", lambda o=options, p=precision: final_nelbo(report, p, o))
    if gpu:
        options = [*device, "compile=reduce-overhead", "trainer.max_epochs=3"]
        report.step("compiled", lambda: final_nelbo(report, "compiled", options))
    common = ["--root", args.root, "--accelerator", args.accelerator, *([] if gpu else ["--compile", "null"])]
    cases = ["W1-128", "W1-1024", "W3-128", "W3-512"] if gpu else ["W1-128"]
    report.step("mnist_vae", lambda: speed(report, "mnist_vae", [*common, "--cases", "--whole", str(args.epochs)]))
    report.step("steps", lambda: speed(report, "steps", [*common, "--whole", "0", "--epochs", "3", "--cases", *cases]))
    tables = [TABLES / f"{name}.yaml" for name in ("2-dynamic_mnist", "1-static_mnist")]
    rows = [row for table in tables for row in read_table(table)]
    for k, row in enumerate(rows[: args.rows]):
        title = f"{row.table}, {row.name}, published {row.published}"
        report.step(title, lambda r=row, n=f"row-{k}": train_row(report, r, args.root, device, n))


if __name__ == "__main__":
    main()
