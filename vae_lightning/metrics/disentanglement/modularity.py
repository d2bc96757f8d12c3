"""Modularity and explicitness."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_lightning.metrics.arrays import Floats, Ints, halves, paired
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.metrics.disentanglement.mutual_information import information_matrix


def modularity(codes: Any, factors: Any, *, bins: int = BINS) -> float:
    """How far each latent tells of one factor alone, the mean over latents, 0 to 1. Ridgeway & Mozer 2018, section 3.

    1 - Σ_{k ≠ k*} I(z_d; v_k)² / ((A - 1) · I(z_d; v_k*)²), with k* the factor that latent d tells most of. Only ratios
    count, so that noise is far from 0: among chance informations one is always the largest. A latent that tells
    nothing at all, such as a collapsed one, has no such ratio and is left out.

    Args:
        codes: (N, D).
        factors: (N, A), A ≥ 2 of which vary.
        bins: of each latent, of equal width.

    Returns:
        The mean; 0 when no latent tells anything.

    Raises:
        UserError: when codes and factors do not fit together, or fewer than two factors vary.
    """
    z, y = paired(codes, factors, at_least=2)
    return modularity_of(information_matrix(z, y, bins))


def modularity_of(information: Floats) -> float:
    """The modularity of a matrix of informations (D, A); see `modularity`."""
    squared = information[information.max(1) > 0] ** 2
    if not len(squared):
        return 0.0
    highest = squared.max(1)
    return float(np.mean(1 - (squared.sum(1) - highest) / ((squared.shape[1] - 1) * highest)))


def explicitness(codes: Any, factors: Any, *, seed: int = 0) -> float:
    """How well a linear classifier reads each factor's values off the code. Ridgeway & Mozer 2018, section 3.

    The area under the ROC curve of each value against all others, by logistic regression on one half of the images and
    tested on the other; the mean over the values of a factor, then over factors. 0.5 is chance, 1 perfect.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A); those that do not vary are left out.
        seed: of the halves.

    Raises:
        UserError: when codes and factors do not fit together, or no factor varies.
    """
    z, y = paired(codes, factors, times=2)
    return float(np.mean([explicitness_of_factor(z, column, seed) for column in y.T]))


def explicitness_of_factor(codes: Floats, values: Ints, seed: int) -> float:
    """The mean area of one factor's values; a value that is not in both halves cannot be judged."""
    train, test = halves(values, seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(codes[train], values[train])
    chances = classifier.predict_proba(codes[test])  # (N/2, values in train)
    tested = [(c, v) for c, v in enumerate(classifier.classes_) if v in values[test]]
    return float(np.mean([roc_auc_score(values[test] == v, chances[:, c]) for c, v in tested]))
