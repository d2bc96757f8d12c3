"""The memory of this machine, and the limit of a container in both versions of control groups."""

import math

import pytest

from vae_lightning.io import resources
from vae_lightning.io.resources import container_limit, free_memory, total_memory


def test_memory_is_that_of_this_machine():
    assert 1e8 < free_memory() <= total_memory() < math.inf


@pytest.mark.parametrize(("text", "expected"), [("max\n", math.inf), ("1000\n", 1000.0), ("", math.inf)])
def test_limit_of_a_container_bounds_the_memory(text, expected, tmp_path, monkeypatch):
    (tmp_path / "limit").write_text(text)
    monkeypatch.setattr(resources, "LIMITS", (tmp_path / "missing", tmp_path / "limit"))
    assert container_limit() == expected
    if expected < math.inf:
        assert total_memory() == free_memory() == expected
