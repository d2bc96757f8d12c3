"""The β-VAE metric of codes of different scales."""

import pytest

from vae_lightning.metrics import beta_vae_metric

POINTS = {"train": 500, "test": 500}


def test_score_depends_on_the_scale_unless_standardized(factors, perfect):
    small = 1e-4 * perfect
    assert beta_vae_metric(small, factors, **POINTS) == 1.0
    assert beta_vae_metric(small, factors, standardize=False, **POINTS) == pytest.approx(1 / 3, abs=0.1)
