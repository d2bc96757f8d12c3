"""Classifiers of labels on codes that are separable, and on noise."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.metrics import (
    MeanAndError,
    accuracy_with_few_labels,
    boosted_trees,
    knn_accuracy,
    linear_probe,
    majority,
)


@pytest.fixture
def classes() -> tuple[np.ndarray, np.ndarray]:
    """Codes of three clusters on a line, (300, 2), and their labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    return y[:, None] * 10 + rng.standard_normal((300, 2)), y


def test_classifiers_separate_clusters_but_not_noise(classes):
    z, y = classes
    noise = np.random.default_rng(1).standard_normal((300, 2))
    for accuracy in (linear_probe, knn_accuracy):
        assert accuracy(z[:200], y[:200], z[200:], y[200:]).mean == 1.0
        assert accuracy(noise[:200], y[:200], noise[200:], y[200:]).mean < 0.5


def test_classifiers_average_over_attributes(classes):
    z, y = classes
    attributes = torch.from_numpy(np.stack([y == 0, y == 2, 0 * y], axis=1).astype(np.int64))
    codes = torch.from_numpy(z)
    assert linear_probe(codes[:200], attributes[:200], codes[200:], attributes[200:]).mean == 1.0
    assert knn_accuracy(codes[:200], attributes[:200], codes[200:], attributes[200:]).mean == 1.0


def test_majority_predicts_the_most_frequent_value():
    assert majority([1, 1, 0], [1, 0, 1, 1]).mean == 0.75
    assert majority([-1, -1, 1], [-1, 1]).mean == 0.5
    assert majority([[1, 0], [1, 0], [0, 1]], [[1, 1], [0, 1]]).mean == 0.25


def test_standard_error_is_that_of_a_fraction():
    assert majority([1], [1, 0, 1, 1]).error == pytest.approx((0.75 * 0.25 / 3) ** 0.5)


def test_linear_probe_rejects_different_numbers_of_codes_and_labels(classes):
    z, y = classes
    with pytest.raises(UserError, match="300 and 300 codes but 5 and 300 labels"):
        linear_probe(z, y[:5], z, y)


@pytest.mark.slow
def test_metrics_import_neither_lightning_nor_hydra():
    code = "import sys; from vae_lightning.metrics import mig; print({'lightning', 'hydra'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_boosted_trees_separate_what_a_linear_probe_cannot():
    z = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    y = (z[:, 0] * z[:, 1] > 0).astype(np.int64)
    data = (z[:200], y[:200], z[200:], y[200:])
    assert boosted_trees(*data, stages=20).mean > 0.9
    assert linear_probe(*data).mean < 0.7


def test_accuracy_with_few_labels_trains_on_random_subsets(classes):
    z, y = classes
    seen = []

    def accuracy(codes, labels, test_codes, test_labels) -> MeanAndError:
        seen.append(codes)
        assert (labels == y[[int(np.flatnonzero((z == code).all(1))[0]) for code in codes]]).all()
        return MeanAndError(len(seen), 0.0)

    found = accuracy_with_few_labels(accuracy, z, y, z, y, n=200, repeats=3)
    assert found.tolist() == [1, 2, 3]
    assert [len(np.unique(codes, axis=0)) for codes in seen] == [200, 200, 200]
    assert len(np.unique(np.concatenate(seen), axis=0)) > 250
    with pytest.raises(UserError, match="5 codes: at least 10 are needed"):
        accuracy_with_few_labels(accuracy, z[:5], y[:5], z, y, n=10)
