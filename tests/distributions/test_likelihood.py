"""Likelihoods against torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal

from vae_lightning.distributions import Bernoulli, Gaussian
from vae_lightning.errors import UserError

OUTPUT = torch.linspace(-4, 4, 2 * 3 * 4 * 4).view(2, 3, 4, 4)
X = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_bernoulli_is_torchs_on_binary_images():
    binary = X.round()
    expected = TorchBernoulli(logits=OUTPUT).log_prob(binary).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli()(OUTPUT).log_prob(binary), expected)


def test_bernoulli_on_grey_images_is_the_cross_entropy_of_the_papers():
    p = torch.sigmoid(OUTPUT.double())
    expected = (X * p.log() + (1 - X) * (1 - p).log()).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli()(OUTPUT).log_prob(X), expected.float())


def test_bernoulli_stays_exact_at_extreme_logits():
    """A sigmoid followed by a logarithm would give -inf, a clamped one -100."""
    px = Bernoulli()(torch.full((1, 1, 1, 1), 200.0))
    assert px.log_prob(torch.zeros(1, 1, 1, 1)).item() == -200
    assert px.log_prob(torch.ones(1, 1, 1, 1)).item() == 0


@pytest.mark.parametrize("sigma", [0.01, 0.1, 1 / math.sqrt(2), 3.0])
def test_gaussian_is_torchs_with_its_constant(sigma):
    expected = Normal(torch.sigmoid(OUTPUT), sigma).log_prob(X).sum((1, 2, 3))
    torch.testing.assert_close(Gaussian(sigma=sigma)(OUTPUT).log_prob(X), expected)


def test_squared_error_is_a_gaussian_of_variance_a_half_less_its_constant():
    px = Gaussian(sigma=1 / math.sqrt(2))(OUTPUT)
    constant = X[0].numel() * 0.5 * math.log(math.pi)
    torch.testing.assert_close(-px.log_prob(X) - constant, (X - px.mean).square().sum((1, 2, 3)))


def test_gaussian_refuses_a_sigma_of_zero():
    with pytest.raises(UserError, match="above 0, not 0"):
        Gaussian(sigma=0)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(sigma=0.1)])
def test_means_are_images(likelihood):
    mean = likelihood(OUTPUT).mean
    assert mean.shape == X.shape
    assert mean.min() >= 0
    assert mean.max() <= 1
