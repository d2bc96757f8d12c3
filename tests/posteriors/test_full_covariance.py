"""Tests of Gaussians with a full covariance against torch.distributions."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lightning.distributions import DiagonalGaussian, GaussianMixture, StandardGaussian
from vae_lightning.errors import UserError
from vae_lightning.posteriors import FullCovariance, FullGaussian

B, D = 5, 3


@pytest.fixture
def q() -> FullGaussian:
    """Return the posteriors of random features."""
    torch.manual_seed(0)
    return FullCovariance(4, D).double()(3 * torch.randn(B, 4).double())


def test_density_and_kl_equal_torch(q):
    expected, z = MultivariateNormal(q.mu, scale_tril=q.tril), torch.randn(B, D).double()
    torch.testing.assert_close(q.log_prob(z), expected.log_prob(z))
    zeros = torch.zeros(1, D).double()
    standard = MultivariateNormal(torch.zeros(D).double(), torch.eye(D).double())
    torch.testing.assert_close(q.kl(StandardGaussian(zeros, zeros)), kl_divergence(expected, standard))
    mu, logvar = torch.randn(2, B, D).double()
    conditional = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    torch.testing.assert_close(q.kl(DiagonalGaussian(mu, logvar)), kl_divergence(expected, conditional))
    assert q.kl(GaussianMixture(mu, logvar)) is None


def test_draws_have_mean_and_covariance(q):
    n = 200_000
    torch.manual_seed(0)
    z = FullGaussian(q.mu[:1], q.tril[:1]).repeat(n).rsample()
    covariance = q.tril[0] @ q.tril[0].T
    error = covariance.diagonal().outer(covariance.diagonal()).sqrt() / n**0.5
    assert ((z.mean(0) - q.mu[0]).abs() < 5 * error.diagonal().sqrt()).all()
    assert ((z.T.cov() - covariance).abs() < 5 * 2**0.5 * error).all()


def test_draws_are_exact_under_half_precision(q):
    noise = torch.randn(B, D)
    with torch.autocast("cpu", torch.bfloat16):
        z = FullGaussian(q.mu.float(), q.tril.float()).rsample(noise)
    torch.testing.assert_close(z.double(), q.rsample(noise.double()), rtol=1e-5, atol=1e-6)


def test_repeat_repeats_the_batch(q):
    z = torch.randn(2 * B, D).double()
    torch.testing.assert_close(q.repeat(2).log_prob(z), torch.cat([q.log_prob(z[:B]), q.log_prob(z[B:])]))


def test_map_of_latents_is_rejected():
    message = r"^model/posterior=full_covariance: requires a vector of latents, not a map\. Set model/network=resnet\.$"
    with pytest.raises(UserError, match=message):
        FullCovariance(4, (2, 3, 3))


def test_a_new_posterior_is_diagonal():
    tril = FullCovariance(4, D)(torch.randn(B, 4)).tril
    assert torch.equal(tril, torch.diag_embed(tril.diagonal(dim1=1, dim2=2)))
