"""Modularity of known mutual information."""

import numpy as np
import pytest

from vae_lightning.metrics import modularity
from vae_lightning.metrics.disentanglement.modularity import modularity_from_information


def test_modularity_from_information():
    assert modularity_from_information(np.array([[1.0, 0.5]])) == pytest.approx(0.75)
    information = np.array([[1.0, 0.5, 0.5], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert modularity_from_information(information) == pytest.approx((0.75 + 1) / 2)
    assert modularity_from_information(np.ones((2, 3))) == 0
    assert modularity_from_information(np.zeros((2, 3))) == 0


def test_modularity_of_noise_is_far_above_0(factors, noise):
    assert modularity(noise, factors) > 0.3
