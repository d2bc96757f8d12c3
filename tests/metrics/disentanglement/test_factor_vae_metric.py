"""The FactorVAE metric of constant, rotated and duplicated latents."""

import numpy as np
import pytest

from vae_lightning.metrics import factor_vae_metric

POINTS = {"train": 1000, "test": 1000}


def test_factor_vae_metric_ignores_constant_latents(factors, perfect):
    """A constant latent would otherwise win every vote."""
    code = np.concatenate([1e-6 * perfect[:, :1], perfect], axis=1)
    code[:, 0] = 1e-9
    assert factor_vae_metric(code, factors, **POINTS) == 1.0
    assert factor_vae_metric(0 * code, factors, **POINTS) == 0.0


def test_factor_vae_metric_of_two_rotated_latents(factors, rotated):
    """Whichever of the two factors is fixed, both latents keep half of their variance. The third factor is correct."""
    assert factor_vae_metric(rotated, factors, **POINTS) == pytest.approx(1 / 3 + 2 / 3 * 1 / 2, abs=0.05)


def test_factor_vae_metric_accepts_several_latents_per_factor(factors, perfect):
    assert factor_vae_metric(np.concatenate([perfect, perfect], axis=1), factors, **POINTS) == 1.0
