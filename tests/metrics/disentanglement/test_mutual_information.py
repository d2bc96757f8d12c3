"""Mutual information and entropy from counts."""

from math import log

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from vae_lightning.metrics.disentanglement.mutual_information import discretize, entropy, mutual_information


@pytest.mark.parametrize("noise", [0, 1, 3, 50])
@pytest.mark.parametrize("sizes", [(5, 7), (20, 40), (2, 1), (1, 1)])
def test_mutual_information_equals_scikit_learn(noise, sizes):
    rng = np.random.default_rng(0)
    a = rng.integers(sizes[0], size=10_000)
    b = (a + rng.integers(noise + 1, size=10_000)) % sizes[1]
    assert mutual_information(a, b) == pytest.approx(mutual_info_score(a, b), abs=1e-12)


def test_mutual_information_of_small_sample_equals_scikit_learn():
    a, b = np.array([0, 0, 1, 1, 3]), np.array([2, 2, 0, 2, 0])  # not all values occur
    assert mutual_information(a, b) == pytest.approx(mutual_info_score(a, b), abs=1e-12)


def test_entropy_of_counts():
    a = np.random.default_rng(0).integers(5, size=500)
    assert entropy(a) == pytest.approx(-sum(p * log(p) for p in np.bincount(a) / 500))


def test_discretize_uses_bins_of_equal_width():
    codes = np.array([[0.0, 3.0], [0.24, 3.0], [0.26, 3.0], [1.0, 3.0]])
    assert discretize(codes, 4).T.tolist() == [[0, 0, 1, 3], [0, 0, 0, 0]]
