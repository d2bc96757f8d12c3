"""Tests of categories beside Gaussian latents: exact sums, frequencies, the relaxation, and the capacities."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from vae_lightning.distributions import DiagonalGaussian, ForwardPass, GaussianMixture
from vae_lightning.posteriors import GumbelSoftmax, JointDistribution
from vae_lightning.posteriors.gumbel_softmax import JointUniform
from vae_lightning.regularizers import JointCapacity, kl

SIZES = (3, 4)
P = JointUniform(torch.zeros(1, 9), SIZES)


def distribution(temperature=None, n=5):
    """Return the distributions of random features: two Gaussian latents and two groups."""
    torch.manual_seed(0)
    posterior = GumbelSoftmax(6, 9, categories=SIZES, temperature=temperature or 1.0).train(temperature is not None)
    return posterior(3 * torch.randn(n, 6))


def groups(x):
    """Return the columns of each group of categories."""
    return x[:, -sum(SIZES) :].split(SIZES, dim=1)


def test_density_and_kl_equal_torch():
    q = distribution()
    gaussian = Normal(q.gaussian.mu, torch.exp(0.5 * q.gaussian.logvar))
    categories = [Categorical(logits=logits) for logits in groups(q.log_probs)]
    z = q.rsample()
    expected = gaussian.log_prob(z[:, :2]).sum(1)
    expected = expected + sum(c.log_prob(one_hot.argmax(1)) for c, one_hot in zip(categories, groups(z), strict=True))
    torch.testing.assert_close(q.log_prob(z), expected)
    uniform = [Categorical(logits=torch.zeros(size)) for size in SIZES]
    discrete = sum(kl_divergence(c, u) for c, u in zip(categories, uniform, strict=True))
    continuous = kl_divergence(gaussian, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(q.kl(P), continuous + discrete)
    torch.testing.assert_close(torch.stack(q.kl_parts(P)), torch.stack([continuous, discrete]))
    assert q.kl(GaussianMixture(torch.zeros(1, 9), torch.zeros(1, 9))) is None
    torch.testing.assert_close(P.log_prob(z), Normal(0.0, 1.0).log_prob(z[:, :2]).sum(1) - math.log(12))


@pytest.mark.parametrize("temperature", [None, 0.5])
def test_largest_categories_have_the_probabilities_of_the_posterior(temperature):
    """Whatever the temperature, the category of the largest value has the probability π. Jang et al. 2017, Eq. 1."""
    n = 50_000
    q = distribution(temperature, n=1)
    z = q.repeat(n).rsample()
    assert z.shape == (n, 9)
    for one_hot, log_probs in zip(groups(z), groups(q.log_probs), strict=True):
        torch.testing.assert_close(one_hot.sum(1), torch.ones(n))
        assert bool(((one_hot == 0) | (one_hot == 1)).all()) == (temperature is None)
        frequency = torch.bincount(one_hot.argmax(1), minlength=one_hot.shape[1]) / n
        assert ((frequency - log_probs[0].exp()).abs() < 5 * (log_probs[0].exp() / n).sqrt() + 1e-5).all()


def test_draws_are_a_function_of_the_noise_and_approach_one_hot_draws():
    noise = torch.randn(5, 9)
    hard, soft = distribution().rsample(noise), distribution(1e-4).rsample(noise)
    torch.testing.assert_close(soft, hard, atol=1e-3, rtol=0)
    assert torch.equal(distribution().rsample(noise), hard)


def test_only_relaxed_draws_are_differentiable_in_the_probabilities():
    for temperature in (0.5, None):
        q = distribution(temperature)
        weight = torch.autograd.grad(q.rsample()[:, 3].sum() + q.gaussian.mu.sum(), q.log_probs, allow_unused=True)[0]
        assert (weight is not None and bool(weight.any())) == (temperature is not None)


def test_prior_samples_are_uniform():
    n = 40_000
    z = P.sample(n, torch.Generator().manual_seed(0))
    for one_hot, size in zip(groups(z), SIZES, strict=True):
        assert torch.equal(one_hot.sum(1), torch.ones(n))
        assert ((one_hot.mean(0) - 1 / size).abs() < 5 / (size * n) ** 0.5).all()
    assert z[:, :2].std(0).tolist() == pytest.approx([1, 1], abs=0.02)


def test_mean_has_the_probabilities():
    q = distribution()
    torch.testing.assert_close(q.mean, torch.cat([q.gaussian.mu, q.log_probs.exp()], dim=1))


def test_joint_capacity_is_the_weighted_sum_and_limits_the_capacity_of_categories():
    """KL of the Gaussian: ½ · 2² = 2 nats; of a certain category among 4: log 4."""
    probabilities = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).clamp_min(1e-12).log()
    q = JointDistribution(DiagonalGaussian(torch.tensor([[2.0]]), torch.zeros(1, 1)), probabilities, (4,), None)
    out = ForwardPass(*[None] * 2, q, JointUniform(torch.zeros(1, 5), (4,)), q.rsample(), None)
    regularizer = JointCapacity(categories=(4,), gamma=10.0, capacity=5.0, discrete_capacity=5.0)
    penalty, terms = regularizer(out)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {"rate": 2 + math.log(4), "continuous_rate": 2, "discrete_rate": math.log(4)}
    )
    assert penalty.item() == pytest.approx(10 * 3, rel=1e-5)
    expected = 10 * (abs(2 - 0.2 * 5) + 0.8 * math.log(4))
    assert regularizer.apply_warmup(penalty, terms, 0.2).item() == pytest.approx(expected, rel=1e-5)
    weights = {"gamma": 10.0, "capacity": 1.0, "discrete_capacity": 0.2 * math.log(4)}
    assert regularizer.effective_weights(0.2) == pytest.approx(weights)
    assert kl(out).item() == pytest.approx(2 + math.log(4))
