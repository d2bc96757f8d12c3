"""The permutation test: its statistic against brute force, and the distribution of its p-value."""

import pytest
import torch

from vae_lightning.metrics import mmd_test


def draws(n: int, d: int, seed: int) -> torch.Tensor:
    """Return standard normal draws, (n, d)."""
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_mmd_equals_brute_force():
    a, b = draws(4, 2, 0), draws(6, 2, 1) + 1
    pooled = torch.cat([a, b])
    squared = (pooled[:, None] - pooled[None]).square().sum(2)
    scale = squared[~torch.eye(10, dtype=torch.bool)].median()

    def k(x, y):
        return torch.exp(-(x - y).square().sum() / scale).item()

    within_a = sum(k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j) / 12
    within_b = sum(k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j) / 30
    between = sum(k(x, y) for x in a for y in b) / 24
    assert mmd_test(a, b).mmd == pytest.approx(within_a + within_b - 2 * between, rel=1e-5)


def test_p_value_is_smallest_for_different_distributions():
    found = mmd_test(draws(100, 3, 0), 1.5 * draws(100, 3, 1), permutations=199)
    assert found.p_value == 1 / 200
    assert found.mmd > 0


def test_p_value_is_uniform_under_the_null_hypothesis():
    """p ≤ 0.2 in 20 of 100 tests, within three standard deviations."""
    small = sum(mmd_test(draws(20, 2, s), draws(20, 2, 1000 + s), permutations=49).p_value <= 0.2 for s in range(100))
    assert 8 <= small <= 32


def test_p_value_of_identical_draws_is_1():
    assert mmd_test(torch.zeros(5, 2), torch.zeros(5, 2), permutations=20).p_value == 1.0


def test_mmd_test_is_deterministic_given_the_seed():
    a, b = draws(30, 2, 0), draws(30, 2, 1)
    assert mmd_test(a, b, seed=4) == mmd_test(a, b, seed=4)
