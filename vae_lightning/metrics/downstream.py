"""Accuracy of simple classifiers trained on a representation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import Floats, as_array, as_codes, as_columns
from vae_lightning.metrics.image_mean import MeanAndError, mean_and_error


def linear_probe(codes: Any, labels: Any, test_codes: Any, test_labels: Any) -> MeanAndError:
    """Return the test accuracy of logistic regression on codes, each latent scaled to mean 0 and variance 1.

    Its standard error is that of the choice of test images.

    Args:
        codes: training codes, (N, D).
        labels: training labels, int64 (N,), or (N, A) for A factors, over which the accuracy is averaged.
        test_codes: (M, D).
        test_labels: like `labels`, (M,) or (M, A).

    Raises:
        UserError: if the numbers of codes and labels differ.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return accuracy_of(probe, codes, labels, test_codes, test_labels)


def knn_accuracy(codes: Any, labels: Any, test_codes: Any, test_labels: Any, *, neighbors: int = 5) -> MeanAndError:
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
    return accuracy_of(KNeighborsClassifier(neighbors), codes, labels, test_codes, test_labels)


def boosted_trees(
    codes: Any, labels: Any, test_codes: Any, test_labels: Any, *, stages: int = 100, seed: int = 0
) -> MeanAndError:
    """Return the test accuracy of gradient-boosted trees, a classifier of Locatello et al. 2019, section 5.5.

    Args:
        codes: training codes, (N, D).
        labels: training labels, int64 (N,), or (N, A) for A factors, over which the accuracy is averaged.
        test_codes: (M, D).
        test_labels: like `labels`, (M,) or (M, A).
        stages: the number of stages of boosting, with one tree per value in each.
        seed: of the trees.

    Raises:
        UserError: if the numbers of codes and labels differ.
    """
    classifier = GradientBoostingClassifier(n_estimators=stages, random_state=seed)
    return accuracy_of(classifier, codes, labels, test_codes, test_labels)


def accuracy_with_few_labels(
    accuracy: Callable[[Any, Any, Any, Any], MeanAndError],
    codes: Any,
    labels: Any,
    test_codes: Any,
    test_labels: Any,
    *,
    n: int = 100,
    repeats: int = 5,
    seed: int = 0,
) -> Floats:
    """Return the test accuracy of a classifier trained on n random training codes, (repeats,).

    Locatello et al. 2019, section 5.5, call its ratio to the accuracy with 10,000 labels the statistical efficiency.

    >>> z = [[0.0], [0.0], [9.0], [9.0]]
    >>> accuracy_with_few_labels(linear_probe, z, [0, 0, 1, 1], z, [0, 0, 1, 1], n=3, repeats=2).tolist()
    [1.0, 1.0]

    Args:
        accuracy: for example `linear_probe` or `boosted_trees`.
        codes: training codes, (N, D).
        labels: training labels, (N,) or (N, A).
        test_codes: (M, D).
        test_labels: like `labels`, (M,) or (M, A).
        n: the number of labels, at most N.
        repeats: how often to draw the labels.
        seed: of the draws.

    Raises:
        UserError: if the numbers of codes and labels differ, or there are fewer than n.
    """
    z, y = as_codes(codes), as_array(labels)
    if len(z) < n:
        raise UserError(f"{len(z)} codes: at least {n} are needed to train on {n}.")
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(len(z), n, replace=False) for _ in range(repeats)]
    return np.array([accuracy(z[index], y[index], test_codes, test_labels).mean for index in chosen])


def majority(labels: Any, test_labels: Any) -> MeanAndError:
    """Return the test accuracy of always predicting the most frequent training value, averaged over factors.

    This is the baseline that a useful code must exceed.

    Args:
        labels: training labels, int64 (N,) or (N, A).
        test_labels: (M,) or (M, A).
    """
    counts = [np.unique(column, return_counts=True) for column in as_columns(labels, "labels").T]
    most_frequent = np.array([values[count.argmax()] for values, count in counts])
    return mean_accuracy(most_frequent, as_columns(test_labels, "test_labels"))


def accuracy_of(
    classifier: ClassifierMixin, codes: Any, labels: Any, test_codes: Any, test_labels: Any
) -> MeanAndError:
    """Fit a classifier to each factor and return the test accuracy, averaged over factors, and its standard error."""
    z, test_z = as_codes(codes), as_codes(test_codes)
    y, test_y = as_columns(labels, "labels"), as_columns(test_labels, "test_labels")
    if len(z) != len(y) or len(test_z) != len(test_y):
        raise UserError(
            f"{len(z)} and {len(test_z)} codes but {len(y)} and {len(test_y)} labels. Pass one label per code."
        )
    predicted = [fit_and_predict(classifier, z, y[:, k], test_z) for k in range(y.shape[1])]
    return mean_accuracy(np.stack(predicted, axis=1), test_y)


def fit_and_predict(classifier: ClassifierMixin, z: Floats, y: Any, test_z: Floats) -> Any:
    """Return the predicted values of one factor. If all training labels are equal, that value is always predicted."""
    return np.full(len(test_z), y[0]) if len(np.unique(y)) == 1 else classifier.fit(z, y).predict(test_z)


def mean_accuracy(predicted: Any, labels: Any) -> MeanAndError:
    """Return the accuracy over images and factors, labels (M, A), and its standard error over images."""
    return mean_and_error(torch.from_numpy((predicted == labels).mean(1)))
