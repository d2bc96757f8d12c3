"""How many jobs of a sweep a machine runs at once, for `hydra/launcher=auto`."""

import os
from pathlib import Path

from omegaconf import OmegaConf

JOB_MEMORY = 1.5e9  # bytes; training the default model on MNIST takes 1.0e9


def parallel_jobs(accelerator: str) -> int:
    """Return the number of jobs: one per core with enough memory, or one at a time on a GPU or another accelerator.

    Several processes with one thread each train small models faster than one process with several threads
    (docs/benchmarks.md).

    Args:
        accelerator: the option of the trainer; `auto` uses a GPU if there is one.
    """
    if accelerator not in ("cpu", "auto") or (accelerator == "auto" and has_accelerator()):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(available_memory() / JOB_MEMORY)))


def has_accelerator() -> bool:
    """Return whether the trainer would choose something else than the CPU."""
    import torch  # takes a second, which other launchers do not need

    return torch.accelerator.is_available()


def available_memory() -> float:
    """Return the bytes that can be allocated, or infinity if the system does not say."""
    file = Path("/proc/meminfo")
    if not file.is_file():
        return float("inf")
    lines = dict(line.split(":") for line in file.read_text().splitlines())
    return 1024.0 * int(lines["MemAvailable"].split()[0])


OmegaConf.register_new_resolver("parallel_jobs", parallel_jobs, replace=True)
