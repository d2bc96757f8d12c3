"""Tests of the agreement of clusters and classes."""

from itertools import permutations

import numpy as np
import pytest
import torch

from vae_lightning.metrics import clustering_accuracy, clustering_nmi


def test_accuracy_is_the_best_of_all_maps_from_clusters_to_classes():
    rng = np.random.default_rng(0)
    clusters, labels = rng.integers(4, size=60), rng.integers(4, size=60)
    best = max(np.mean(np.array(order)[clusters] == labels) for order in permutations(range(4)))
    assert clustering_accuracy(torch.from_numpy(clusters), torch.from_numpy(labels)) == pytest.approx(best)


def test_renamed_classes_agree_perfectly_and_a_single_cluster_not_at_all():
    labels = np.arange(30) % 3
    assert clustering_accuracy((labels + 1) % 3, labels) == clustering_nmi((labels + 1) % 3, labels) == 1
    assert clustering_accuracy(np.zeros(30, int), labels) == pytest.approx(1 / 3)
    assert clustering_nmi(np.zeros(30, int), labels) == 0


def test_each_class_has_one_cluster():
    """Six clusters of one image each: only two of them can have a class."""
    assert clustering_accuracy(np.arange(6), [0, 0, 0, 1, 1, 1]) == pytest.approx(2 / 6)


def test_nmi_of_two_clusters_of_three_classes():
    """I = log 2 - ⅓ log 2; the entropies are log 2 and log 3."""
    clusters, labels = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]
    expected = (np.log(2) * 2 / 3) / ((np.log(2) + np.log(3)) / 2)
    assert clustering_nmi(clusters, labels) == pytest.approx(expected)
