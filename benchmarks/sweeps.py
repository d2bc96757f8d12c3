"""Time of a sweep of small jobs with each launcher, beside what the cores could give.

    python benchmarks/sweeps.py --jobs 24

With one thread, while all cores run such jobs, each further job takes t seconds. So on c cores, n jobs take at least
n t / c: cores that share caches and memory are slower together than one alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
SWEEPS = {
    "one process, one thread": ([], {"OMP_NUM_THREADS": "1"}),
    "one process, all threads": ([], {}),
    "hydra/launcher=auto": (["hydra/launcher=auto"], {}),
}


def seconds(jobs: int, overrides: list[str], environment: dict[str, str]) -> float:
    """Return the duration of a sweep over seeds, with the start of its processes."""
    with tempfile.TemporaryDirectory() as cwd:
        seeds = ",".join(map(str, range(jobs)))
        command = [sys.executable, str(ROOT / "train.py"), "-m", f"seed={seeds}", f"hydra.sweep.dir={cwd}/sweep"]
        start = time.monotonic()
        subprocess.run([*command, *overrides], check=True, capture_output=True, env=os.environ | environment, cwd=cwd)
        assert len([*Path(cwd).glob("sweep/*/metrics.json")]) == jobs
        return time.monotonic() - start


def job_seconds(overrides: list[str], processes: int) -> float:
    """Return the mean duration of a further job in as many sweeps at once, with one thread each."""

    def mean_seconds(jobs: int) -> float:
        with ThreadPoolExecutor(processes) as pool:
            sweeps = [pool.submit(seconds, jobs, overrides, {"OMP_NUM_THREADS": "1"}) for _ in range(processes)]
            return sum(sweep.result() for sweep in sweeps) / processes

    return (mean_seconds(5) - mean_seconds(1)) / 4


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument(
        "overrides", nargs="*", default=["model/network=mlp", "callbacks=minimal", "trainer.max_epochs=30"]
    )
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    alone, together = job_seconds(args.overrides, 1), job_seconds(args.overrides, cores)
    bound = args.jobs * together / cores
    print(f"{args.jobs} jobs of {together:.2f} s ({alone:.2f} s alone) on {cores} cores: at least {bound:.1f} s")
    for name, (overrides, environment) in SWEEPS.items():
        total = seconds(args.jobs, [*args.overrides, *overrides], environment)
        print(f"{name:26} {total:6.1f} s   {total / bound:.2f} x", flush=True)


if __name__ == "__main__":
    main()
