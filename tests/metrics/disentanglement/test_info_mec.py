"""InfoMEC of known information."""

from math import log

import numpy as np
import pytest

from vae_lightning.metrics import info_mec
from vae_lightning.metrics.disentanglement.info_mec import explained_entropy, mean_share


def test_mean_share():
    assert mean_share(np.eye(3)) == pytest.approx(1)
    assert mean_share(np.ones((2, 4))) == pytest.approx(0)
    assert mean_share(np.array([[0.6, 0.2], [0, 0], [0, 0.3]])) == pytest.approx(((0.75 + 1) / 2 - 0.5) / 0.5)
    assert mean_share(np.zeros((3, 2))) == 0
    assert mean_share(np.ones((2, 1))) == 1


def test_two_rotated_latents_share_their_information_equally(factors, rotated):
    """Shares of 1/2, 1/2 and 1 are 1/4, 1/4 and 1 on the scale from 1/3 to 1."""
    scores = info_mec(rotated, factors)
    assert scores.modularity == pytest.approx(0.5, abs=0.01)
    assert scores.compactness == pytest.approx(0.5, abs=0.01)


def test_latents_of_small_range_are_inactive(factors, perfect, rotated):
    scores = info_mec(np.concatenate([perfect, 0.01 * rotated], axis=1), factors)
    assert (scores.modularity, scores.compactness) == pytest.approx((1, 1), abs=0.01)
    assert info_mec(0 * perfect, factors) == pytest.approx((0, 0, 0), abs=1e-6)


def test_explained_entropy_of_a_2_x_2_table():
    """Latent and value agree in 8 of 10, so a regression on the latent predicts 0.8."""
    z, v = np.array([(0, 0)] * 4 + [(0, 1), (1, 0)] + [(1, 1)] * 4).T
    expected = 1 + (0.2 * log(0.2) + 0.8 * log(0.8)) / log(2)
    assert explained_entropy(z[:, None].astype(float), v) == pytest.approx(expected, abs=1e-4)


def test_a_constant_latent_explains_nothing_of_an_unbalanced_factor():
    values = np.repeat([0, 1], [90, 10])
    assert explained_entropy(np.ones((100, 1)), values) == pytest.approx(0, abs=1e-6)
