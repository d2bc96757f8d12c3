"""SAP of codes whose scores are known."""

import numpy as np
import pytest
from sklearn.metrics import recall_score
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from vae_lightning.errors import UserError
from vae_lightning.metrics import sap
from vae_lightning.metrics.arrays import split_halves
from vae_lightning.metrics.disentanglement.sap import svm_score, threshold_score


def test_sap_of_binary_attribute_is_at_most_a_half(factors, perfect):
    assert sap(perfect, factors[:, 0] == 0) == pytest.approx(0.5, abs=0.05)


def test_sap_of_continuous_factors():
    """Correlations of 0.6 and 0.8 give R² = 0.36 and 0.64."""
    v = np.array([0, 0, 1, 1])
    up = np.array([-1.0, -1.0, 1.0, 1.0])
    other = np.array([-1.0, 1.0, -1.0, 1.0])
    z = np.stack([0.6 * up + 0.8 * other, 0.8 * up - 0.6 * other], axis=1)
    assert sap(z, v, continuous=True) == pytest.approx(0.28)


@pytest.mark.parametrize("scale", [1, 0.1, -1e6])
def test_sap_of_quantities_depends_on_their_values_not_on_their_ranks(scale):
    v = np.array([0, 1, 10] * 4)
    other = np.repeat([-1.0, 1.0], 6)  # as many of each for every value
    assert sap(np.stack([v, other], axis=1), scale * v, continuous=True) == pytest.approx(1.0)
    with pytest.raises(UserError, match="at least 1 that vary, got 0"):
        sap(v[:, None], 0.1 + 0 * v, continuous=True)


@pytest.mark.parametrize("seed", range(10))
def test_threshold_score_is_the_mean_recall_of_the_values_in_the_test_half(seed):
    """Value 4 occurs once, so it may be predicted without being in the test half."""
    rng = np.random.default_rng(seed)
    values = np.append(rng.integers(4, size=60), 4)
    latent = values + rng.standard_normal(61)
    train, test = split_halves(values, seed)
    tree = DecisionTreeClassifier(max_leaf_nodes=5, class_weight="balanced", random_state=seed)
    predicted = tree.fit(latent[train, None], values[train]).predict(latent[test, None])
    recall = recall_score(values[test], predicted, labels=np.unique(values[test]), average="macro")
    assert threshold_score(latent, values, seed) == pytest.approx(recall, abs=1e-12)


def test_svm_score_equals_the_published_classifier(factors, rotated):
    latent, values = rotated[:, 0], factors[:, 1]
    train, test = split_halves(values, 0)
    machine = LinearSVC(C=0.01, class_weight="balanced", random_state=0, max_iter=20_000)
    accuracy = machine.fit(latent[train, None], values[train]).score(latent[test, None], values[test])
    assert svm_score(latent, values, 0) == pytest.approx(accuracy, abs=0.01)
