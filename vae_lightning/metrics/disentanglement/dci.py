"""Disentanglement, completeness, informativeness."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from vae_lightning.metrics.arrays import Floats, Ints, halves, paired


class DCI(NamedTuple):
    """Each in [0, 1], the more the better. Eastwood & Williams 2018, section 2.

    Attributes:
        disentanglement: 1 when each latent is important for one factor alone.
        completeness: 1 when one latent alone is important for each factor.
        informativeness: the share of images whose factor is predicted right (1 less the paper's error), the mean over
            factors; its least is what chance gives, not 0.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def dci(codes: Any, factors: Any, *, trees: int = 100, seed: int = 0) -> DCI:
    """Importances of the latents in a random forest that predicts each factor. Eastwood & Williams 2018.

    One half of the images teaches, the other tests. Every split considers every latent: a forest that sees a few
    at a time finds importance in latents that have none. The numbers depend on the number of images and on the kind of
    trees; compare only those of the same setting.

    Args:
        codes: (N, D).
        factors: (N,) or (N, A); those that do not vary are left out.
        trees: of each forest.
        seed: of the halves and the forests.

    Raises:
        UserError: when codes and factors do not fit together, or no factor varies.
    """
    z, y = paired(codes, factors, times=2)
    fits = [importances_of_factor(z, column, trees, seed) for column in y.T]
    disentanglement, completeness = dci_of(np.stack([importances for importances, _ in fits], axis=1))
    return DCI(disentanglement, completeness, float(np.mean([accuracy for _, accuracy in fits])))


def importances_of_factor(codes: Floats, values: Ints, trees: int, seed: int) -> tuple[Floats, float]:
    """The importance of each latent for one factor, (D,), and the accuracy on images not learned from."""
    train, test = halves(values, seed)
    forest = RandomForestClassifier(trees, max_features=None, random_state=seed).fit(codes[train], values[train])
    return forest.feature_importances_, float(forest.score(codes[test], values[test]))


def dci_of(importances: Floats) -> tuple[float, float]:
    """Disentanglement and completeness of importances (D, A). Eastwood & Williams 2018, Eqs. 1 to 3.

    A latent's disentanglement is 1 less the entropy, to the base A, of how its importance is shared among the factors;
    the mean weighs it by its share of all importance. A factor's completeness is the same with factors and latents
    exchanged.
    """
    total = importances.sum()
    if total == 0:
        return 0.0, 0.0
    weights = importances.sum(1) / total, importances.sum(0) / total
    return float(weights[0] @ concentration(importances)), float(weights[1] @ concentration(importances.T))


def concentration(rows: Floats) -> Floats:
    """1 - H(row) / log(its length) of each row (R, C) of weights ≥ 0: 1 when all is in one place, 0 when it is even."""
    if rows.shape[1] == 1:
        return np.ones(len(rows))
    sums = rows.sum(1, keepdims=True)
    p = rows / np.where(sums > 0, sums, 1.0)
    return 1 + (p * np.log(np.where(p > 0, p, 1.0))).sum(1) / np.log(rows.shape[1])
