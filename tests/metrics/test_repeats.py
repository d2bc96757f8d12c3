"""Repeats of a metric on different images with different seeds."""

import numpy as np
import pytest
import torch

from vae_lightning.metrics import over_repeats


def test_over_repeats_uses_different_images_and_seeds_and_is_deterministic():
    codes, factors, seeds = np.arange(100.0)[:, None], np.arange(100), []

    def metric(z, y, seed):
        assert len(set(y)) == len(y) == 30
        assert (z[:, 0] == y).all()
        seeds.append(seed)
        return z.mean(), 1.0

    found = over_repeats(metric, codes, factors, samples=30, repeats=4, seed=10)
    assert seeds == [10, 11, 12, 13]
    assert found.n == 30
    assert found.mean[1] == 1.0
    assert found.std[0] > 0
    assert found.std[1] == 0
    again = over_repeats(metric, codes, factors, samples=30, repeats=4, seed=10)
    assert again.mean.tolist() == found.mean.tolist()


def test_over_repeats_uses_at_most_half_of_the_images_and_one_repeat_has_no_spread():
    found = over_repeats(lambda z, y, seed: len(z), torch.zeros(9, 2), torch.zeros(9), samples=30, repeats=1, seed=0)
    assert (found.mean.tolist(), found.std.tolist(), found.n) == ([4.0], [0.0], 4)


def test_deviation_is_that_of_a_sample():
    found = over_repeats(lambda z, y, seed: float(seed), np.zeros((9, 1)), np.zeros(9), samples=4, repeats=4, seed=10)
    assert found.std[0] == pytest.approx((5 / 3) ** 0.5)  # of 10, 11, 12 and 13
