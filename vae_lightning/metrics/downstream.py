"""What the labels' simplest readers make of a representation."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import Floats, as_array, as_codes


def linear_probe(codes: Any, labels: Any, test_codes: Any, test_labels: Any) -> float:
    """The accuracy of logistic regression on codes, each latent scaled to mean 0 and variance 1.

    Args:
        codes: to learn from, (N, D).
        labels: theirs, int64 (N,), or (N, A) for A factors, of which the mean accuracy is taken.
        test_codes: (M, D).
        test_labels: as the labels.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return accuracy(probe, codes, labels, test_codes, test_labels)


def knn_accuracy(codes: Any, labels: Any, test_codes: Any, test_labels: Any, *, neighbours: int = 5) -> float:
    """The accuracy of the k nearest neighbours by Euclidean distance, in the code's own scale.

    Args:
        codes: to learn from, (N, D), N ≥ k.
        labels: theirs, int64 (N,), or (N, A) for A factors, of which the mean accuracy is taken.
        test_codes: (M, D).
        test_labels: as the labels.
        neighbours: k.
    """
    return accuracy(KNeighborsClassifier(neighbours), codes, labels, test_codes, test_labels)


def majority(labels: Any, test_labels: Any) -> float:
    """The accuracy of always naming the most frequent value, the mean over factors: what a code must surpass."""
    y, test_y = columns(labels), columns(test_labels)
    return float(np.mean([np.mean(t == np.bincount(column).argmax()) for column, t in zip(y.T, test_y.T, strict=True)]))


def accuracy(classifier: ClassifierMixin, codes: Any, labels: Any, test_codes: Any, test_labels: Any) -> float:
    """The mean over factors of the share of test images that a classifier, fitted to each, names right."""
    z, test_z = as_codes(codes), as_codes(test_codes)
    y, test_y = columns(labels), columns(test_labels)
    if len(z) != len(y) or len(test_z) != len(test_y):
        raise UserError(f"{len(z)} and {len(test_z)} codes but {len(y)} and {len(test_y)} labels")
    return float(np.mean([score(classifier, z, y[:, k], test_z, test_y[:, k]) for k in range(y.shape[1])]))


def score(classifier: ClassifierMixin, z: Floats, y: Any, test_z: Floats, test_y: Any) -> float:
    """The accuracy for one factor; where there is one value alone to learn, that of naming it."""
    if len(np.unique(y)) == 1:
        return float(np.mean(test_y == y[0]))
    return float(classifier.fit(z, y).score(test_z, test_y))


def columns(labels: Any) -> Any:
    """Labels as (N, A)."""
    y = as_array(labels)
    return y.reshape(len(y), -1)
