"""Time of a sweep of small jobs with each launcher, beside what the cores could give.

    python benchmarks/sweeps.py --jobs 24

With one process and one thread, each further job takes t seconds. With c cores, n jobs take at least n t / c.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument(
        "overrides", nargs="*", default=["model/network=mlp", "callbacks=minimal", "trainer.max_epochs=30"]
    )
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    single = SWEEPS["one process, one thread"][1]
    job = (seconds(5, args.overrides, single) - seconds(1, args.overrides, single)) / 4
    bound = args.jobs * job / cores
    print(f"{args.jobs} jobs of {job:.2f} s on {cores} cores: at least {bound:.1f} s")
    for name, (overrides, environment) in SWEEPS.items():
        total = seconds(args.jobs, [*args.overrides, *overrides], environment)
        print(f"{name:26} {total:6.1f} s   {total / bound:.2f} x", flush=True)


if __name__ == "__main__":
    main()
