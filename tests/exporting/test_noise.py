"""Tests of draws that are a function of given noise, at noise spaced evenly in probability."""

import pytest
import torch

from vae_lightning.exporting.noise import GivenNoise

N = 1000
QUANTILES = torch.special.ndtri((torch.arange(N, dtype=torch.float64) + 0.5) / N).float()[:, None]


def test_normal_variables_are_the_noise():
    noise = torch.randn(4, 5)
    with GivenNoise(noise) as draws:
        assert torch.equal(torch.randn(4, 2), noise[:, :2])
        assert torch.equal(torch.randn((4, 3)), noise[:, 2:])
    assert draws.used == 5


def test_uniform_variables_are_uniform():
    with GivenNoise(QUANTILES):
        u = torch.rand(N, 1)
    assert torch.allclose(u[:, 0], (torch.arange(N) + 0.5) / N, atol=1e-6)


def test_integers_are_equally_likely():
    with GivenNoise(QUANTILES):
        k = torch.randint(4, (N,))
    assert k.dtype == torch.int64
    assert k.bincount().tolist() == [250] * 4


def test_categories_have_their_probabilities():
    with GivenNoise(QUANTILES):
        k = torch.multinomial(torch.tensor([1.0, 3.0, 0.0, 4.0]), N, replacement=True)
    assert k.bincount().tolist() == [125, 375, 0, 500]


@pytest.mark.parametrize("extreme", [-40.0, 40.0])
def test_extreme_noise_gives_valid_indices(extreme):
    with GivenNoise(torch.full((2, 2), extreme)):
        assert 0 <= int(torch.randint(7, (2,))[0]) < 7
        assert 0 <= int(torch.multinomial(torch.ones(7), 2, replacement=True)[0]) < 7


def test_other_functions_are_unchanged():
    with GivenNoise(torch.zeros(1, 1)):
        assert torch.equal(torch.ones(2) + 1, torch.full((2,), 2.0))
