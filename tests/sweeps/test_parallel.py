"""How many jobs `hydra/launcher=auto` runs at once."""

import math

import pytest

from vae_lightning.sweeps import parallel
from vae_lightning.sweeps.parallel import JOB_MEMORY, parallel_jobs


@pytest.mark.parametrize(
    ("accelerator", "has_accelerator", "cores", "jobs_in_memory", "expected"),
    [
        ("auto", False, 8, 100, 8),
        ("auto", True, 8, 100, 1),
        ("gpu", True, 8, 100, 1),
        ("cpu", True, 8, 100, 8),
        ("cpu", False, 64, 3.9, 3),
        ("cpu", False, 64, 0.5, 1),
        ("cpu", False, 8, math.inf, 8),  # where the system does not report it
    ],
)
def test_number_of_jobs(accelerator, has_accelerator, cores, jobs_in_memory, expected, monkeypatch):
    monkeypatch.setattr(parallel, "has_accelerator", lambda: has_accelerator)
    monkeypatch.setattr(parallel, "free_memory", lambda: jobs_in_memory * JOB_MEMORY)
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    assert parallel_jobs(accelerator) == expected
