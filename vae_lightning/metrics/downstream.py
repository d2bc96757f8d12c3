"""Accuracy of simple classifiers trained on a representation."""

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
    """Return the test accuracy of logistic regression on codes, each latent scaled to mean 0 and variance 1.

    Args:
        codes: training codes, (N, D).
        labels: training labels, int64 (N,), or (N, A) for A factors, over which the accuracy is averaged.
        test_codes: (M, D).
        test_labels: like `labels`, (M,) or (M, A).

    Raises:
        UserError: if the numbers of codes and labels differ.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return mean_accuracy(probe, codes, labels, test_codes, test_labels)


def knn_accuracy(codes: Any, labels: Any, test_codes: Any, test_labels: Any, *, neighbors: int = 5) -> float:
    """Return the test accuracy of k nearest neighbors by Euclidean distance between unscaled codes.

    Args:
        codes: training codes, (N, D) with N ≥ k.
        labels: training labels, int64 (N,), or (N, A) for A factors, over which the accuracy is averaged.
        test_codes: (M, D).
        test_labels: like `labels`, (M,) or (M, A).
        neighbors: k.

    Raises:
        UserError: if the numbers of codes and labels differ.
    """
    return mean_accuracy(KNeighborsClassifier(neighbors), codes, labels, test_codes, test_labels)


def majority(labels: Any, test_labels: Any) -> float:
    """Return the test accuracy of always predicting the most frequent training value, averaged over factors.

    This is the baseline that a useful code must exceed.
    """
    y, test_y = as_columns(labels), as_columns(test_labels)
    return float(np.mean([np.mean(t == np.bincount(column).argmax()) for column, t in zip(y.T, test_y.T, strict=True)]))


def mean_accuracy(classifier: ClassifierMixin, codes: Any, labels: Any, test_codes: Any, test_labels: Any) -> float:
    """Fit a classifier to each factor and return the test accuracy, averaged over factors."""
    z, test_z = as_codes(codes), as_codes(test_codes)
    y, test_y = as_columns(labels), as_columns(test_labels)
    if len(z) != len(y) or len(test_z) != len(test_y):
        raise UserError(
            f"{len(z)} and {len(test_z)} codes but {len(y)} and {len(test_y)} labels. Pass one label per code."
        )
    return float(np.mean([fit_and_score(classifier, z, y[:, k], test_z, test_y[:, k]) for k in range(y.shape[1])]))


def fit_and_score(classifier: ClassifierMixin, z: Floats, y: Any, test_z: Floats, test_y: Any) -> float:
    """Return the test accuracy for one factor. If all training labels are equal, that value is always predicted."""
    if len(np.unique(y)) == 1:
        return float(np.mean(test_y == y[0]))
    return float(classifier.fit(z, y).score(test_z, test_y))


def as_columns(labels: Any) -> Any:
    """Convert labels (N,) or (N, A) to an array of shape (N, A)."""
    y = as_array(labels)
    return y.reshape(len(y), -1)
