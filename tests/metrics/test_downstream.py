"""Readers of labels, repeats and means."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.metrics import ImageMean, knn_accuracy, linear_probe, majority, mean_and_error, over_repeats


@pytest.fixture
def classes() -> tuple[np.ndarray, np.ndarray]:
    """Three clusters on a line, 300 codes, and which they are from."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    return y[:, None] * 10 + rng.standard_normal((300, 2)), y


def test_clusters_are_read_and_noise_is_not(classes):
    z, y = classes
    noise = np.random.default_rng(1).standard_normal((300, 2))
    for reader in (linear_probe, knn_accuracy):
        assert reader(z[:200], y[:200], z[200:], y[200:]) == 1.0
        assert reader(noise[:200], y[:200], noise[200:], y[200:]) < 0.5


def test_attributes_are_read_one_by_one(classes):
    z, y = classes
    attributes = torch.from_numpy(np.stack([y == 0, y == 2, 0 * y], axis=1).astype(np.int64))
    codes = torch.from_numpy(z)
    assert linear_probe(codes[:200], attributes[:200], codes[200:], attributes[200:]) == 1.0
    assert knn_accuracy(codes[:200], attributes[:200], codes[200:], attributes[200:]) == 1.0


def test_the_majority_by_hand():
    assert majority([1, 1, 0], [1, 0, 1, 1]) == 0.75
    assert majority([[1, 0], [1, 0], [0, 1]], [[1, 1], [0, 1]]) == 0.25


def test_mistakes_are_told(classes):
    z, y = classes
    with pytest.raises(UserError, match="300 and 300 codes but 5 and 300 labels"):
        linear_probe(z, y[:5], z, y)


# ---------------------------------------------------------------- repeats and means


def test_repeats_take_other_images_and_seeds_and_say_how_many():
    codes, factors, seeds = np.arange(100.0)[:, None], np.arange(100), []

    def metric(z, y, seed):
        assert len(set(y)) == len(y) == 30
        assert (z[:, 0] == y).all()
        seeds.append(seed)
        return z.mean(), 1.0

    found = over_repeats(metric, codes, factors, samples=30, repeats=4, seed=10)
    assert seeds == [10, 11, 12, 13]
    assert found.n == 30
    assert found.mean[1] == 1.0
    assert found.std[0] > 0
    assert found.std[1] == 0
    again = over_repeats(metric, codes, factors, samples=30, repeats=4, seed=10)
    assert again.mean.tolist() == found.mean.tolist()


def test_repeats_take_half_of_few_images_and_one_has_no_spread():
    found = over_repeats(lambda z, y, seed: len(z), torch.zeros(9, 2), torch.zeros(9), samples=30, repeats=1, seed=0)
    assert (found.mean.tolist(), found.std.tolist(), found.n) == ([4.0], [0.0], 4)


def test_a_mean_over_batches_is_that_over_images():
    values = torch.randn(100, generator=torch.Generator().manual_seed(0)) + 1e4
    metric = ImageMean()
    for batch in values.split(30):
        metric.update(batch)
    mean, error = metric.compute()
    assert mean == pytest.approx(values.double().mean().item())
    assert error == pytest.approx(values.double().std().item() / 10)
    assert (mean, error) == mean_and_error(values)
    assert math.isnan(mean_and_error(torch.ones(1)).error)


@pytest.mark.slow
def test_metrics_know_neither_lightning_nor_hydra():
    code = "import sys; from vae_lightning.metrics import mig; print({'lightning', 'hydra'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
