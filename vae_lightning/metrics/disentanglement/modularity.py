"""Modularity and explicitness."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors, split_halves
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.metrics.disentanglement.mutual_information import information_matrix

ROUNDING = 1e-12  # of the mutual information of a constant, in nats


def modularity(codes: Any, factors: Any, *, bins: int = BINS) -> float:
    """Return how far each latent is informative about a single factor, averaged over latents, in [0, 1].

    Ridgeway & Mozer 2018, section 3: 1 - Σ_{k ≠ k*} I(z_d; v_k)² / ((A - 1) · I(z_d; v_k*)²), where k* is the factor
    with the most information in latent d. Only ratios count, so noise scores far above 0: one of several estimates that
    differ only by chance is always the largest. A latent without any information, such as a collapsed one, has no such
    ratio and is ignored.

    Args:
        codes: (N, D).
        factors: (N, A), of which at least two vary.
        bins: the number of bins of equal width per latent.

    Returns:
        The mean, or 0 if no latent is informative.

    Raises:
        UserError: if codes and factors do not match, or fewer than two factors vary.
    """
    z, y = as_codes_and_factors(codes, factors, min_factors=2)
    return modularity_from_information(information_matrix(z, y, bins))


def modularity_from_information(information: Floats) -> float:
    """Return the modularity of a matrix of mutual information (D, A); see `modularity`."""
    squared = information[information.max(1) > ROUNDING] ** 2
    if not len(squared):
        return 0.0
    highest = squared.max(1)
    return float(np.mean(1 - (squared.sum(1) - highest) / ((squared.shape[1] - 1) * highest)))


def explicitness(codes: Any, factors: Any, *, seed: int = 0) -> float:
    """Return how well a linear classifier predicts the values of each factor from the code.

    Ridgeway & Mozer 2018, section 3. This is the area under the ROC curve of each value against all others, averaged
    over the values of a factor and then over factors. The logistic regression is trained on one half of the images and
    tested on the other. 0.5 is chance, 1 is perfect.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A). Factors without two values in at least two images each are ignored.
        seed: of the split.

    Raises:
        UserError: if codes and factors do not match, or no factor varies.
    """
    z, y = as_codes_and_factors(codes, factors, min_count=2)
    return float(np.mean([explicitness_of_factor(z, values, seed) for values in y.T]))


def explicitness_of_factor(codes: Floats, values: Ints, seed: int) -> float:
    """Return the mean area over the values of one factor, leaving out values that are not in both halves."""
    train, test = split_halves(values, seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(codes[train], values[train])
    probabilities = classifier.predict_proba(codes[test])  # (N/2, values in train)
    columns = [(c, v) for c, v in enumerate(classifier.classes_) if v in values[test]]
    return float(np.mean([roc_auc_score(values[test] == v, probabilities[:, c]) for c, v in columns]))
