"""The permutation test: its statistic by brute force, its p-value by how it must be distributed."""

import pytest
import torch

from vae_lightning.metrics import mmd_test


def draws(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_the_statistic_by_brute_force():
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


def test_draws_that_differ_are_told_apart():
    found = mmd_test(draws(100, 3, 0), 1.5 * draws(100, 3, 1), permutations=199)
    assert found.p_value == 1 / 200
    assert found.mmd > 0


def test_draws_of_one_distribution_are_refused_as_often_as_said():
    """p ≤ 0.2 in a fifth of 100 tests, give or take three standard deviations."""
    small = sum(mmd_test(draws(20, 2, s), draws(20, 2, 1000 + s), permutations=49).p_value <= 0.2 for s in range(100))
    assert 8 <= small <= 32


def test_draws_that_are_all_the_same_are_no_difference():
    assert mmd_test(torch.zeros(5, 2), torch.zeros(5, 2), permutations=20).p_value == 1.0


def test_a_seed_repeats():
    a, b = draws(30, 2, 0), draws(30, 2, 1)
    assert mmd_test(a, b, seed=4) == mmd_test(a, b, seed=4)
