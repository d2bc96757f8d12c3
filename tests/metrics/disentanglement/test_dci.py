"""DCI of known importances, and of trees as published."""

from math import log

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.ensemble import GradientBoostingClassifier

from vae_lightning.metrics import dci
from vae_lightning.metrics.arrays import split_halves
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


def test_boosted_dci_equals_the_published_formulas(factors, rotated):
    """Those of Locatello et al. 2019: scikit-learn's defaults, and scipy's entropy of the importances plus 1e-11."""
    z, y = rotated[:400], factors[:400, :2]
    importances, accuracies = np.zeros((3, 2)), []
    for k, values in enumerate(y.T):
        train, test = split_halves(values, 0)
        trees = GradientBoostingClassifier(random_state=0).fit(z[train], values[train])
        importances[:, k] = trees.feature_importances_
        accuracies.append(np.mean(trees.predict(z[test]) == values[test]))
    of_latents = 1 - entropy(importances.T + 1e-11, base=2)
    of_factors = 1 - entropy(importances + 1e-11, base=3)
    expected = (
        np.average(of_latents, weights=importances.sum(1)),
        np.average(of_factors, weights=importances.sum(0)),
        np.mean(accuracies),
    )
    assert dci(z, y, boosted=True) == pytest.approx(expected, abs=1e-6)


def test_boosted_trees_score_an_entangled_code_higher_than_forests(factors, perfect, noise):
    """Each latent depends on one factor strongly and on the others weakly, in noise."""
    code = perfect @ (np.eye(3) + 0.6) + 2 * noise
    forest, boosted = (dci(code, factors, boosted=boosted, trees=20).disentanglement for boosted in (False, True))
    assert boosted > 2 * forest
