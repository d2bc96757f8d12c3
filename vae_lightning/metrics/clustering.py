"""Agreement of clusters with classes."""

from typing import Any

from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from vae_lightning.metrics.arrays import as_array


def clustering_accuracy(clusters: Any, labels: Any) -> float:
    """Return the fraction of images in the right cluster, for the best one-to-one map of clusters to classes.

    The Hungarian algorithm finds the map, as in Xie et al. 2016, Eq. 10. If there are more clusters than classes, those
    without a class are wrong.

    >>> clustering_accuracy([2, 2, 0, 0, 1], [0, 0, 1, 1, 1])
    0.8

    Args:
        clusters: int64 (N,).
        labels: int64 (N,).
    """
    counts = contingency_matrix(as_array(labels), as_array(clusters))
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())


def clustering_nmi(clusters: Any, labels: Any) -> float:
    """Return the mutual information of clusters and classes, divided by the mean of their entropies.

    Args:
        clusters: int64 (N,).
        labels: int64 (N,).
    """
    return float(normalized_mutual_info_score(as_array(labels), as_array(clusters)))
