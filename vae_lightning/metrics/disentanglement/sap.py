"""Separated attribute predictability (SAP)."""

import warnings
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors, split_halves


def sap(codes: Any, factors: Any, *, continuous: bool = False, seed: int = 0) -> float:
    """Return the mean over factors of the gap between the two latents that predict it best.

    Kumar et al. 2018, section 3. The score of a latent for a factor is the balanced accuracy of thresholds on that
    latent alone. A decision tree with one leaf per value of the factor sets the thresholds on one half of the images
    and is tested on the other. Chance is 1/values, so a perfect code has a SAP of 1 - 1/values and not 1. For binary
    attributes this is ½.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A). Factors that do not vary are ignored.
        continuous: treat factors as quantities. The score of a latent is then the R² of a linear fit, the squared
            correlation, and a perfect linear code has a SAP of 1.
        seed: of the split.

    Raises:
        UserError: if codes and factors do not match, or no factor varies.
    """
    z, y = as_codes_and_factors(codes, factors, min_count=1 if continuous else 2)
    if continuous:
        scores = squared_correlations(z, y)
    else:
        scores = np.array([[threshold_score(latent, factor, seed) for factor in y.T] for latent in z.T])
    scores = np.sort(scores, axis=0)[::-1]  # (D, A), the best latent first
    return float(np.mean(scores[0] - (scores[1] if len(scores) > 1 else 0.0)))


def threshold_score(latent: Floats, values: Ints, seed: int) -> float:
    """Return the balanced accuracy of thresholds on one latent (N,) for one factor (N,)."""
    train, test = split_halves(values, seed)
    leaves = len(np.unique(values))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=seed)
    predicted = tree.fit(latent[train, None], values[train]).predict(latent[test, None])
    with warnings.catch_warnings():  # a value that occurs once may be predicted, but is not in the test half
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return float(balanced_accuracy_score(values[test], predicted))


def squared_correlations(codes: Floats, factors: Ints) -> Floats:
    """Return the squared correlation of each latent with each factor, (D, A), which is 0 for a constant latent."""
    z, y = (x - x.mean(0) for x in (codes, factors.astype(np.float64)))
    variances = np.outer((z**2).sum(0), (y**2).sum(0))
    return (z.T @ y) ** 2 / np.where(variances > 0, variances, 1.0)
