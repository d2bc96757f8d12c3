"""Memory and cores of the machine, or of the container if that has less."""

import math
import os
from contextlib import suppress
from pathlib import Path

MEMINFO = Path("/proc/meminfo")  # of Linux
LIMITS = tuple(Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory/memory.limit_in_bytes"))  # version 2, 1


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    from joblib import cpu_count  # type: ignore[import-untyped] # which scikit-learn requires; slow to import

    return int(cpu_count())


def total_memory() -> float:
    """Return the bytes of memory, or infinity if the system does not say."""
    sizes = [container_limit()]
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(sizes)


def free_memory() -> float:
    """Return the bytes of memory that can be allocated, or infinity if the system does not say."""
    sizes = [container_limit()]
    if MEMINFO.is_file():
        lines = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        sizes.append(1024.0 * int(lines["MemAvailable"].split()[0]))
    return min(sizes)


def container_limit() -> float:
    """Return the limit of the container, in bytes, or infinity without one."""
    sizes = [math.inf]
    for path in LIMITS:
        with suppress(OSError, ValueError):  # another version, or "max"
            sizes.append(float(path.read_text().replace("max", "inf")))
    return min(sizes)
