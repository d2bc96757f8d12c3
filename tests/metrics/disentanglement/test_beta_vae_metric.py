"""The β-VAE metric of codes of different scales."""

import numpy as np
import pytest

from vae_lightning.metrics import beta_vae_metric

POINTS = {"train": 500, "test": 500}


def test_score_depends_on_the_scale_unless_standardized(factors, perfect):
    small = 1e-4 * perfect
    assert beta_vae_metric(small, factors, **POINTS) == 1.0
    assert beta_vae_metric(small, factors, standardize=False, **POINTS) == pytest.approx(1 / 3, abs=0.1)


def test_codes_that_are_noise_do_not_tell_a_factor_with_many_values_apart():
    """Pairs of the same image would: every fourth pair that shares the second factor, and few that share the first."""
    rng = np.random.default_rng(0)
    factors = np.stack([np.arange(1000) % 2, np.arange(1000) // 4], axis=1)
    score = beta_vae_metric(rng.normal(size=(1000, 10)), factors, **POINTS)
    assert 0.4 < score < 0.7  # 0.99 with them
