"""InfoMEC: modularity, compactness and explicitness in terms of information."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from vae_lightning.metrics.arrays import Floats, Ints, as_codes_and_factors
from vae_lightning.metrics.disentanglement.mutual_information import entropies

ACTIVE_RANGE = 1 / 20  # of the largest range of a latent


class InfoMEC(NamedTuple):
    """The three scores, higher is better, 1 is perfect. Hsu et al. 2023, section 5.

    Attributes:
        modularity: 1 if each latent is informative about a single factor, 0 if about all equally.
        compactness: 1 if each factor is in a single latent, 0 if it is spread evenly over all.
        explicitness: the part of the entropy of a factor that a linear classifier explains, averaged over factors.
    """

    modularity: float
    compactness: float
    explicitness: float


def info_mec(codes: Any, factors: Any, *, neighbors: int = 10, seed: int = 0) -> InfoMEC:
    """Compute InfoModularity, InfoCompactness and InfoExplicitness as the authors' code does for continuous latents.

    Hsu et al. 2023, section 5. Information between a latent and a factor is estimated from nearest neighbors (Ross
    2014, scikit-learn's `mutual_info_classif`) and divided by the entropy of the factor. Latents whose range is at most
    1/20 of the largest range are inactive and ignored in modularity and compactness.

    >>> grid = np.array([[a, b] for a in range(3) for b in range(4)] * 20)
    >>> [round(score, 1) for score in info_mec(grid + np.random.default_rng(0).normal(0, 0.01, grid.shape), grid)]
    [1.0, 1.0, 1.0]

    Args:
        codes: (N, D).
        factors: (N, A), of which at least two vary.
        neighbors: k of the estimator.
        seed: of the noise that the estimator adds to break ties, of standard deviation 1e-10 times the latent's.

    Raises:
        UserError: if codes and factors do not match, or fewer than two factors vary.
    """
    z, y = as_codes_and_factors(codes, factors, min_factors=2, min_count=2)  # the estimator ignores others
    ranges = np.ptp(z, axis=0)
    active = z[:, (ranges > 0) & (ranges > ACTIVE_RANGE * ranges.max())]
    normalized = neighbor_information(active, y, neighbors, seed) / entropies(y)  # (D, A)
    explicitness = float(np.mean([explained_entropy(z, values) for values in y.T]))
    return InfoMEC(mean_share(normalized), mean_share(normalized.T), explicitness)


def neighbor_information(codes: Floats, factors: Ints, neighbors: int, seed: int) -> Floats:
    """Return the estimate from nearest neighbors of I(z_d; v_k) of each latent and each factor, (D, A), in nats."""
    if not codes.shape[1]:
        return np.zeros((0, factors.shape[1]))
    columns = [mutual_info_classif(codes, values, n_neighbors=neighbors, random_state=seed) for values in factors.T]
    return np.stack(columns, axis=1)


def mean_share(information: Floats) -> float:
    """Return the share of the largest entry of each row (R, C), averaged over rows, scaled to 0 for 1/C and 1 for 1.

    A row without any information has no share and is ignored. If no row is left, the result is 0. With one column the
    share is always 1.
    """
    informative = information[information.sum(1) > 0]
    if not informative.size:
        return 0.0
    columns = informative.shape[1]
    if columns == 1:
        return 1.0
    return float((np.mean(informative.max(1) / informative.sum(1)) - 1 / columns) / (1 - 1 / columns))


def explained_entropy(codes: Floats, values: Ints) -> float:
    """Return 1 minus the cross-entropy of logistic regression divided by that without latents, or 0 if it is negative.

    The regression has no penalty. The values have balanced weights, so without latents it predicts them uniformly, with
    a cross-entropy of log V. As published, it is tested on the images that it was fitted to, after at most 100 steps.
    """
    z = StandardScaler().fit_transform(codes)
    classifier = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100)
    with warnings.catch_warnings():  # the weights of a code that separates the values grow without bound
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(z, values)
    cross_entropy = log_loss(values, classifier.predict_proba(z))
    return max(0.0, 1 - float(cross_entropy) / np.log(values.max() + 1))
