"""Tests of the second-stage VAE, where it is linear and therefore Gaussian in closed form."""

import math

import pytest
import torch
from prior_shapes import SHAPES
from torch.distributions import MultivariateNormal

from vae_lightning.priors import SecondStageVAE


@pytest.fixture
def linear():
    """Return a second stage with linear encoder and decoder."""
    torch.manual_seed(0)
    prior = SecondStageVAE(**SHAPES, hidden_dims=()).double()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return prior


def exact(prior):
    """Return p(u), which is N(b, W Wᵀ + γ² I)."""
    layer = prior.decoder[-1]
    covariance = layer.weight @ layer.weight.T + (2 * prior.log_gamma).exp() * torch.eye(2)
    return MultivariateNormal(layer.bias, covariance)


def test_exponential_of_the_log_density_is_unbiased(linear):
    u = torch.tensor([[0.3, -0.5], [1.0, 0.8]]).double()
    p = linear(None, None)
    with torch.no_grad():
        log_w = p.log_prob(u.repeat(50_000, 1)).view(-1, 2)
        estimate = torch.logsumexp(log_w, 0) - math.log(len(log_w))
        torch.testing.assert_close(estimate, exact(linear).log_prob(u), atol=0.02, rtol=0)
        assert (log_w.mean(0) < exact(linear).log_prob(u)).all()  # the evidence lower bound


def test_samples_have_the_exact_covariance(linear):
    u = linear(None, None).sample(100_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(u.mean(0), exact(linear).mean, atol=0.02, rtol=0)
    torch.testing.assert_close(u.T.cov(), exact(linear).covariance_matrix, atol=0.05, rtol=0)


def test_condition_reaches_encoder_and_decoder():
    prior = SecondStageVAE(**SHAPES | {"condition_dim": 3}, hidden_dims=(8,))
    prior(None, torch.eye(3)).log_prob(torch.randn(3, 2)).sum().backward()
    assert prior.encoder[0].weight.grad[:, 2:].abs().sum() > 0
    assert prior.decoder[0].weight.grad[:, 2:].abs().sum() > 0
