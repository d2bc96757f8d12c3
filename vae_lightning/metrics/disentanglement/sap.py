"""The separated attribute predictability."""

from typing import Any

import numpy as np
from sklearn.metrics import recall_score
from sklearn.tree import DecisionTreeClassifier

from vae_lightning.metrics.arrays import Floats, Ints, halves, paired


def sap(codes: Any, factors: Any, *, continuous: bool = False, seed: int = 0) -> float:
    """The mean over factors of the gap between the two latents that predict it best. Kumar et al. 2018, section 3.

    A latent's score for a factor is the balanced accuracy of thresholds on it alone, as many as the factor has values
    less 1: fitted on one half of the images by a tree of as many leaves as values, tested on the other. Chance is
    1/values, so that a perfect code has 1 - 1/values and not 1: ½ for attributes that are there or not.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A); those that do not vary are left out.
        continuous: take factors for quantities: a latent's score is then R² of a line, the squared correlation, and a
            perfect linear code has 1.
        seed: of the halves.

    Raises:
        UserError: when codes and factors do not fit together, or no factor varies.
    """
    z, y = paired(codes, factors, times=1 if continuous else 2)
    if continuous:
        scores = squared_correlations(z, y)
    else:
        scores = np.array([[threshold_score(latent, factor, seed) for factor in y.T] for latent in z.T])
    scores = np.sort(scores, axis=0)[::-1]  # (D, A), the best latent first
    return float(np.mean(scores[0] - (scores[1] if len(scores) > 1 else 0.0)))


def threshold_score(latent: Floats, values: Ints, seed: int) -> float:
    """The balanced accuracy of thresholds on one latent (N,) for one factor (N,): the mean recall of its values."""
    train, test = halves(values, seed)
    leaves = len(np.unique(values))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=seed)
    predicted = tree.fit(latent[train, None], values[train]).predict(latent[test, None])
    return float(recall_score(values[test], predicted, labels=np.unique(values[test]), average="macro"))


def squared_correlations(codes: Floats, factors: Ints) -> Floats:
    """The squared correlation of each latent with each factor, (D, A); 0 for a latent that is constant."""
    z, y = (x - x.mean(0) for x in (codes, factors.astype(np.float64)))
    variances = np.outer((z**2).sum(0), (y**2).sum(0))
    return (z.T @ y) ** 2 / np.where(variances > 0, variances, 1.0)
