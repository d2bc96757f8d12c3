"""MIG of codes whose information is known."""

from math import log

import numpy as np
import pytest

from vae_lightning.metrics import mig, mig_per_factor


def test_mig_of_a_2_x_2_table():
    """Code and factor agree in 8 of 10: I = log 2 - H(0.2), so the gap to a constant is 1 - H(0.2) / log 2."""
    table = [((0, 0), 4), ((0, 1), 1), ((1, 0), 1), ((1, 1), 4)]
    z, v = np.array([pair for pair, count in table for _ in range(count)]).T
    gap = 1 + (0.2 * log(0.2) + 0.8 * log(0.8)) / log(2)
    assert mig(np.stack([z, 0 * z], axis=1), v) == pytest.approx(gap)
    assert mig(z[:, None], v) == pytest.approx(gap)
    assert mig(np.stack([z, z], axis=1), v) == pytest.approx(0.0)


def test_mig_of_two_factors_merged_in_one_latent_is_1():
    v = np.stack(np.meshgrid(np.arange(3), np.arange(4)), axis=-1).reshape(-1, 2)
    merged = np.stack([4 * v[:, 0] + v[:, 1], np.zeros(12)], axis=1)
    assert mig_per_factor(merged, v) == pytest.approx([1.0, 1.0])


def test_mig_after_rotation_by_45_degrees_is_0():
    """v1 + v2 and v1 - v2 have the same information about either factor."""
    v = np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2)
    assert mig(v @ np.array([[1, 1], [1, -1]]), v) == pytest.approx(0.0, abs=1e-12)


def test_mig_with_fewer_bins_than_values_is_below_1():
    v = np.repeat(np.arange(40), 2)
    assert mig(v[:, None], v, bins=20) == pytest.approx(log(20) / log(40))
    assert mig(v[:, None], v, bins=40) == pytest.approx(1.0)
