"""Tests of the mixture of Gaussians against torch.distributions and scikit-learn."""

import pytest
import torch
from prior_shapes import SHAPES
from sklearn.mixture import GaussianMixture
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.priors import MixturePrior
from vae_lightning.priors.mixture import FullMixture


def two_clusters(n: int) -> torch.Tensor:
    """Return n points in three parts of (-4, 0) and one part of (4, 1), with correlated noise."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n, 2, generator=generator) @ torch.tensor([[0.5, 0.3], [0.0, 0.2]])
    centers = torch.tensor([[-4.0, 0.0], [4.0, 1.0]])
    return centers[(torch.arange(n) % 4 == 0).long()] + noise


def test_density_equals_torch():
    torch.manual_seed(0)
    prior = MixturePrior(**SHAPES, num_components=3).double()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter)
    p = prior(None, None)
    expected = MixtureSameFamily(Categorical(logits=prior.logits), MultivariateNormal(p.mu, scale_tril=p.tril))
    z = 2 * torch.randn(5, 2).double()
    torch.testing.assert_close(p.log_prob(z), expected.log_prob(z))


def test_samples_have_the_moments_of_the_mixture():
    weights, mu = torch.tensor([0.25, 0.75]), torch.tensor([[3.0, 0.0], [-1.0, 0.0]])
    tril = torch.tensor([[1.0, 0.0], [0.5, 0.2]]).expand(2, 2, 2)
    z = FullMixture(weights.log(), mu, tril).sample(100_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    between = torch.tensor([[3.0, 0.0], [0.0, 0.0]])  # 0.25 · 3² + 0.75 · 1²
    torch.testing.assert_close(z.T.cov(), between + tril[0] @ tril[0].T, atol=0.05, rtol=0)


def test_kl_to_each_component_is_exact_under_half_precision():
    torch.manual_seed(0)
    prior = MixturePrior(**SHAPES, num_components=3)
    torch.nn.init.normal_(prior.off_diagonal)
    q = DiagonalGaussian(torch.randn(4, 2), torch.randn(4, 2))
    expected = prior(None, None).component_kl(q)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(prior(None, None).component_kl(q), expected)


def test_expectation_maximization_equals_scikit_learn_and_finds_the_clusters():
    z = two_clusters(4000)
    prior = MixturePrior(**SHAPES, num_components=2)
    before = prior(None, None).log_prob(z).mean()
    prior.initialize_from_latents(z)
    p = prior(None, None)
    reference = GaussianMixture(2, random_state=0).fit(z.double())
    assert p.log_prob(z).mean().item() == pytest.approx(reference.score(z.double()), abs=1e-3)
    assert p.log_prob(z).mean() > before
    order = p.mu[:, 0].argsort()
    torch.testing.assert_close(p.log_weights.exp()[order], torch.tensor([0.75, 0.25]), atol=1e-3, rtol=0)
    torch.testing.assert_close(p.mu[order], torch.tensor([[-4.0, 0.0], [4.0, 1.0]]), atol=0.03, rtol=0)


def test_samples_have_the_precision_of_the_parameters():
    assert MixturePrior(**SHAPES).double()(None, None).sample(3).dtype == torch.float64


def test_every_parameter_has_a_gradient():
    prior = MixturePrior(**SHAPES, num_components=2)
    prior(None, None).log_prob(torch.randn(7, 2)).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in prior.parameters())


def test_a_constant_latent_has_a_finite_density():
    z = torch.cat([torch.randn(50, 1), torch.zeros(50, 1)], dim=1)
    prior = MixturePrior(latent_dim=2, num_components=2)
    prior.initialize_from_latents(z)
    assert prior(None, None).log_prob(z).isfinite().all()
