"""Disentanglement and completeness of known importances."""

from math import log

import numpy as np
import pytest

from vae_lightning.metrics.disentanglement.dci import dci_from_importances


def test_dci_from_importances():
    assert dci_from_importances(np.eye(3)) == pytest.approx((1, 1))
    assert dci_from_importances(np.ones((4, 3))) == pytest.approx((0, 0), abs=1e-12)
    shared = 1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1)
    assert dci_from_importances(np.array([[0.9, 0.1], [0.1, 0.9]])) == pytest.approx((shared, shared))
    two_latents = 1 + (2 / 3 * log(2 / 3) + 1 / 3 * log(1 / 3)) / log(3)  # has 1.5 of 2.5 of the importance
    importances = np.array([[1, 0], [0.5, 0], [0, 1]])
    assert dci_from_importances(importances) == pytest.approx((1, 0.6 * two_latents + 0.4))
    assert dci_from_importances(np.zeros((2, 2))) == (0, 0)
