"""Tests of the controlled capacity increase, γ · |KL - C(t)|, by hand."""

import pytest
import torch

from vae_lightning.distributions import Bernoulli, DiagonalGaussian, ForwardPass
from vae_lightning.regularizers import Capacity


def forward_pass(*rates: float) -> ForwardPass:
    """Return one image per rate, with mu = √(2 · rate) and σ = 1."""
    mu = torch.tensor(rates)[:, None].mul(2).sqrt()
    q = DiagonalGaussian(mu, torch.zeros_like(mu))
    x = torch.zeros(len(rates), 1, 1, 1)
    prior = DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1))
    return ForwardPass(x, None, q, prior, mu, Bernoulli()(x))


@pytest.mark.parametrize(("capacity", "expected"), [(3.0, 0.0), (5.0, 20.0), (0.0, 30.0)])
def test_penalty_is_the_distance_of_the_mean_rate_from_the_capacity(capacity, expected):
    """The rates of the two images are 1 and 5, with mean 3. Their own distances from C do not matter."""
    penalty, terms = Capacity(gamma=10.0, capacity=capacity)(forward_pass(1.0, 5.0))
    assert penalty.item() == pytest.approx(expected, abs=1e-5)
    assert terms["rate"].item() == pytest.approx(3.0)


def test_warmup_raises_the_capacity_but_not_gamma():
    regularizer = Capacity(gamma=10.0, capacity=4.0)
    penalty, terms = regularizer(forward_pass(3.0))
    assert regularizer.apply_warmup(penalty, terms, 0.0).item() == pytest.approx(30)
    assert regularizer.apply_warmup(penalty, terms, 0.75).item() == pytest.approx(0, abs=1e-5)
    assert regularizer.apply_warmup(penalty, terms, 1.0) == penalty
    assert regularizer.effective_weights(0.5) == {"gamma": 10.0, "capacity": 2.0}


def test_capacity_rises_from_its_initial_value():
    regularizer = Capacity(gamma=10.0, capacity=4.0, initial_capacity=2.0)
    penalty, terms = regularizer(forward_pass(3.0))
    assert [regularizer.effective_weights(w)["capacity"] for w in (0.0, 0.5, 1.0)] == [2.0, 3.0, 4.0]
    assert regularizer.apply_warmup(penalty, terms, 0.0).item() == pytest.approx(10)
    assert regularizer.apply_warmup(penalty, terms, 0.5).item() == pytest.approx(0, abs=1e-5)
