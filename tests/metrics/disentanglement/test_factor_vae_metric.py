"""The FactorVAE metric of constant, rotated and duplicated latents."""

import numpy as np
import pytest

from vae_lightning.metrics import factor_vae_metric
from vae_lightning.metrics.disentanglement.fixed_factor import FixedFactorSampler

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


def test_factor_vae_metric_does_not_depend_on_the_scale_of_latents():
    factors = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1).repeat(20, axis=0)
    noisy = factors + np.random.default_rng(0).normal(size=factors.shape)
    few = {"train": 500, "test": 500, "group": 16}
    score = factor_vae_metric(noisy, factors, **few)
    assert score > 0.5
    assert factor_vae_metric(noisy * [1, 10, 100], factors, **few) == score


def test_factor_vae_metric_counts_its_test_votes(factors, rotated):
    """With a single one, the accuracy is 0 or 1, while it is 2/3 with many."""
    assert factor_vae_metric(rotated, factors, train=1000, test=1) in (0, 1)


def test_values_of_a_single_image_are_not_shared():
    sampler, rng = FixedFactorSampler(np.array([0, 0, 0, 1, 2, 2])), np.random.default_rng(0)
    assert 3 not in sampler.draw(200, 4, rng)
    assert 3 not in sampler.draw_pairs(200, rng)
