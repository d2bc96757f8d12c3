"""MIG-sup of codes whose information is known."""

from math import log

import numpy as np
import pytest

from vae_lightning.metrics import mig, mig_sup


def test_mig_sup_of_a_2_x_2_table():
    """The latent agrees with factor 1 in 8 of 10, I / H = 1 - H(0.2) / log 2, and is independent of factor 2."""
    table = [((0, 0), 4), ((0, 1), 1), ((1, 0), 1), ((1, 1), 4)]
    z, v = np.array([pair for pair, count in table for _ in range(count)]).T
    factors = np.stack([np.tile(v, 2), np.repeat([0, 1], 10)], axis=1)
    gap = 1 + (0.2 * log(0.2) + 0.8 * log(0.8)) / log(2)
    assert mig_sup(np.tile(z, 2)[:, None], factors) == pytest.approx(gap)


def test_mig_sup_of_two_factors_merged_in_one_latent_is_0_but_mig_is_1():
    v = np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2)
    merged = 4 * v[:, :1] + v[:, 1:]
    assert mig_sup(merged, v) == pytest.approx(0, abs=1e-12)
    assert mig(merged, v) == pytest.approx(1)


def test_mig_sup_ignores_latents_of_little_variance(factors, perfect, rotated):
    both = np.concatenate([perfect, 0.01 * rotated], axis=1)
    assert mig_sup(both, factors) == pytest.approx(1)
    assert mig_sup(both, factors, threshold=0.0) < 0.9
    assert mig_sup(0 * perfect, factors) == 0.0
