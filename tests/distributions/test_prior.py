"""Tests of priors against torch.distributions."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_lightning.distributions import ClassConditional, DiagonalGaussian, GaussianMixture, StandardNormal, VampPrior
from vae_lightning.errors import UserError

SHAPES = {"latent_dim": 2, "image_shape": (1, 4, 4)}
Z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))


def encode(x):
    """Encoder for priors other than VampPrior, which do not call it."""
    raise AssertionError


def test_standard_normal_equals_torch():
    p = StandardNormal(**SHAPES, condition_dim=0)(encode, None)
    torch.testing.assert_close(p.log_prob(Z), Normal(0.0, 1.0).log_prob(Z).sum(1))


def test_samples_are_reproducible():
    for p in (DiagonalGaussian(torch.ones(1, 2), torch.zeros(1, 2)), GaussianMixture(Z, torch.zeros_like(Z))):
        first, second = (p.sample(7, torch.Generator().manual_seed(3)) for _ in range(2))
        assert first.shape == (7, 2)
        assert torch.equal(first, second)


def test_mixture_equals_torch():
    mu, logvar = torch.randn(4, 2).double(), torch.randn(4, 2).double()
    components = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    expected = MixtureSameFamily(Categorical(torch.ones(4).double()), components)
    torch.testing.assert_close(GaussianMixture(mu, logvar).log_prob(Z.double()), expected.log_prob(Z.double()))


def test_samples_of_the_mixture_have_its_mean_and_variance():
    torch.manual_seed(0)
    mixture = GaussianMixture(torch.tensor([[-3.0], [3.0]]), torch.tensor([[0.0], [2.0]]).log().nan_to_num(neginf=0.0))
    z = mixture.sample(100_000)
    assert z.mean().abs() < 0.05
    assert z.var().item() == pytest.approx(9 + 1.5, rel=0.02)  # 3² plus the mean of the variances 1 and 2


def test_vamp_prior_is_the_mixture_of_the_posteriors_of_its_pseudo_images():
    prior = VampPrior(**SHAPES, condition_dim=0, num_components=3)
    layer = torch.nn.Linear(16, 4)

    def posterior(x):
        assert x.shape == (3, 1, 4, 4)
        assert ((x > 0) & (x < 1)).all()
        return DiagonalGaussian(*layer(x.flatten(1)).chunk(2, dim=1))

    p = prior(posterior, None)
    q = posterior(torch.sigmoid(prior.logits))
    components = Independent(Normal(q.mu, torch.exp(0.5 * q.logvar)), 1)
    torch.testing.assert_close(p.log_prob(Z), MixtureSameFamily(Categorical(torch.ones(3)), components).log_prob(Z))
    p.log_prob(Z).sum().backward()
    assert prior.logits.grad.abs().sum() > 0


def test_pseudo_images_can_start_at_images():
    prior = VampPrior(**SHAPES, condition_dim=0, num_components=3, from_images=True)
    noise, x = prior.logits[2].clone(), torch.rand(2, 1, 4, 4).clamp(0.02, 0.98)
    x[0, 0, 0] = torch.tensor([0.0, 1.0, 0.5, 0.5])
    prior.initialize_from_images(x)
    expected = x.clone()
    expected[0, 0, 0, :2] = torch.tensor([0.01, 0.99])
    torch.testing.assert_close(torch.sigmoid(prior.logits[:2]), expected)
    assert torch.equal(prior.logits[2], noise)
    assert prior.num_initial_images == 3
    assert VampPrior(**SHAPES, condition_dim=0).num_initial_images == 0


def test_class_conditional_prior_starts_at_the_standard_normal_and_learns():
    prior = ClassConditional(**SHAPES, condition_dim=3)
    y = torch.eye(3)[[0, 2, 2, 1, 0]]
    torch.testing.assert_close(prior(encode, y).log_prob(Z), Normal(0.0, 1.0).log_prob(Z).sum(1))
    torch.nn.init.normal_(prior.mu.weight)
    p = prior(encode, y)
    assert torch.equal(p.mu[1], p.mu[2])
    assert not torch.equal(p.mu[0], p.mu[1])
    assert p.sample(5).shape == (5, 2)


def test_incompatible_conditioning_raises():
    with pytest.raises(UserError, match=r"requires labels. Set model\.conditional=true"):
        ClassConditional(**SHAPES, condition_dim=0)
    with pytest.raises(UserError, match=r"Set model\.conditional=false"):
        VampPrior(**SHAPES, condition_dim=3, num_components=2)
