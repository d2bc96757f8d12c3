"""IRS of codes whose deviations are known."""

import numpy as np
import pytest

from vae_lightning.metrics import irs


def test_irs_of_a_sum_of_two_factors():
    """v1 + v2 in 0, 1, 2 is at most 1 from its mean, and at most 0.5 from its mean given v1."""
    grid = np.stack(np.meshgrid(np.arange(2), np.arange(2)), axis=-1).reshape(-1, 2)
    assert irs(grid.sum(1, keepdims=True), grid) == pytest.approx(0.5)
    assert irs(grid, grid) == 1.0


def test_irs_weights_latents_by_their_largest_deviation():
    grid = np.stack(np.meshgrid(np.arange(2), np.arange(2)), axis=-1).reshape(-1, 2)
    code = np.stack([3 * grid.sum(1), grid[:, 0]], axis=1)  # scores 0.5 and 1, largest deviations 3 and 0.5
    assert irs(code, grid) == pytest.approx((3 * 0.5 + 0.5 * 1) / 3.5)


@pytest.mark.parametrize("quantile", [0.9, 1.0])
def test_irs_equals_its_definition(factors, rotated, noise, quantile):
    code = rotated + 0.2 * noise
    scores, weights = [], []
    for latent in code.T:
        largest = max(abs(latent - latent.mean()))
        ratios = []
        for values in factors.T:
            groups = [latent[values == value] for value in np.unique(values)]
            deviations = [np.percentile(abs(group - group.mean()), 100 * quantile) for group in groups]
            ratios.append(sum(deviations) / len(deviations) / largest)
        scores.append(1 - min(ratios))
        weights.append(largest)
    assert irs(code, factors, quantile=quantile) == pytest.approx(np.average(scores, weights=weights))


def test_irs_of_a_constant_code_is_0(factors, perfect):
    assert irs(0 * perfect, factors) == 0.0
