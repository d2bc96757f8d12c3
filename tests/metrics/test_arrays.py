"""Conversion and validation of codes and factors."""

import numpy as np
import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.metrics import beta_vae_metric, dci, mig, sap
from vae_lightning.metrics.arrays import as_codes_and_factors, as_factors, split_halves


def test_as_factors_numbers_values_from_0():
    assert as_factors(torch.tensor([5, 7, 5])).tolist() == [[0], [1], [0]]
    assert as_factors([[True, 2.0], [False, 4.0]]).tolist() == [[1, 0], [0, 1]]


def test_split_halves_puts_every_value_that_occurs_twice_in_both():
    values = np.array([0] * 7 + [1] * 2 + [2] * 2 + [3])
    first, second = split_halves(values, seed=0)
    assert sorted([*first, *second]) == list(range(12))
    assert {0, 1, 2} <= set(values[first]) & set(values[second])


def test_invalid_codes_and_factors_raise(perfect, factors):
    with pytest.raises(UserError, match="2160 codes but 5 rows"):
        mig(perfect, factors[:5])
    with pytest.raises(UserError, match="at least 1 that vary, got 0"):
        mig(perfect, np.zeros(len(perfect)))
    with pytest.raises(UserError, match="at least 2 that vary, got 1"):
        beta_vae_metric(perfect, factors[:, 0])
    with pytest.raises(UserError, match="must be finite"):
        mig(np.full((4, 2), np.nan), [0, 1, 0, 1])
    with pytest.raises(UserError, match="must be integers"):
        mig(perfect, factors + 0.5)
    with pytest.raises(UserError, match=r"codes: must have shape \(N, D\)"):
        mig(perfect[:, 0], factors)
    with pytest.raises(UserError, match=r"factors: must have shape \(N,\) or \(N, A\)"):
        mig(perfect, factors[:, None])


def test_values_that_occur_once_are_ignored_only_where_they_must_be_repeated():
    once = np.arange(4)
    assert mig(once[:, None], once) == pytest.approx(1.0)
    assert sap(once[:, None], once, continuous=True) == pytest.approx(1.0)
    factors = np.stack([np.arange(6), np.arange(6) // 3], axis=1)
    assert as_codes_and_factors(np.zeros((6, 1)), factors, min_count=2)[1].shape == (6, 1)
    with pytest.raises(UserError, match="at least 1 that vary, got 0"):
        dci(once[:, None], once)
