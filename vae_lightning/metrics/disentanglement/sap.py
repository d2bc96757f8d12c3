"""Separated attribute predictability (SAP)."""

import warnings
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors, as_codes_and_quantities, split_halves
from vae_lightning.metrics.disentanglement.gap import top_two_gap


def sap(codes: Any, factors: Any, *, continuous: bool = False, svm: bool = False, seed: int = 0) -> float:
    """Return the mean over factors of the gap between the two latents that predict it best.

    Kumar et al. 2018, section 3. The score of a latent for a factor is the balanced accuracy of thresholds on that
    latent alone. A decision tree with one leaf per value of the factor sets the thresholds on one half of the images
    and is tested on the other. Chance is 1/values, so a perfect code has a SAP of 1 - 1/values and not 1. For binary
    attributes this is ½.

    >>> v = np.arange(40) % 4
    >>> sap(np.stack([v, 0 * v], axis=1), v)
    0.75

    Args:
        codes: (N, D).
        factors: (N,) or (N, A), integers unless `continuous`. Factors that do not vary, or unless `continuous` have
            no two values in at least two images each, are ignored.
        continuous: treat factors as quantities. The score of a latent is then the R² of a linear fit, the squared
            correlation, and a perfect linear code has a SAP of 1.
        svm: use the accuracy of the linear support vector machine of Locatello et al. 2019 instead. It separates each
            value from all others by one threshold, so it cannot find a value between two others.
        seed: of the split.

    Raises:
        UserError: if codes and factors do not match, or no factor varies.
    """
    if continuous:
        return float(np.mean(top_two_gap(squared_correlations(*as_codes_and_quantities(codes, factors)))))
    z, y = as_codes_and_factors(codes, factors, min_count=2)
    score = svm_score if svm else threshold_score
    scores = np.array([[score(latent, factor, seed) for factor in y.T] for latent in z.T])
    return float(np.mean(top_two_gap(scores)))


def threshold_score(latent: Floats, values: Ints, seed: int) -> float:
    """Return the balanced accuracy of thresholds on one latent (N,) for one factor (N,)."""
    train, test = split_halves(values, seed)
    leaves = len(np.unique(values))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=seed)
    predicted = tree.fit(latent[train, None], values[train]).predict(latent[test, None])
    with warnings.catch_warnings():  # a value that occurs once may be predicted, but is not in the test half
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return float(balanced_accuracy_score(values[test], predicted))


def svm_score(latent: Floats, values: Ints, seed: int) -> float:
    """Return the accuracy of a linear support vector machine on one latent (N,) for one factor (N,)."""
    train, test = split_halves(values, seed)
    # Locatello et al. solve the dual problem, which has the same solution but takes longer to reach it.
    machine = LinearSVC(C=0.01, class_weight="balanced", dual=False, random_state=seed)
    return float(machine.fit(latent[train, None], values[train]).score(latent[test, None], values[test]))


def squared_correlations(codes: Floats, factors: Floats) -> Floats:
    """Return the squared correlation of each latent with each factor, (D, A), which is 0 for a constant latent."""
    z, y = (x - x.mean(0) for x in (codes, factors))
    variances = np.outer((z**2).sum(0), (y**2).sum(0))
    return (z.T @ y) ** 2 / np.where(variances > 0, variances, 1.0)
