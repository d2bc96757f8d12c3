"""Tests of the change of scale against torch.distributions."""

import torch
from prior_shapes import SHAPES
from torch.distributions import Normal

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.priors import SecondStageVAE
from vae_lightning.priors.standardized import Standardized


def test_density_is_that_of_a_scaled_gaussian():
    shift, scale = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    p = Standardized(DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2)), shift, scale)
    z = torch.randn(5, 2)
    torch.testing.assert_close(p.log_prob(z), Normal(shift, scale).log_prob(z).sum(1))
    z = p.sample(50_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), shift, atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), scale, atol=0.05, rtol=0)


def test_initialized_prior_sees_latents_with_mean_0_and_variance_1():
    prior = SecondStageVAE(**SHAPES)
    z = torch.stack([torch.linspace(3, 5, 100), torch.full((100,), 7.0)], dim=1)  # the second is constant
    prior.initialize_from_latents(z)
    u = Standardized(None, prior.shift, prior.scale).standardize(z)
    torch.testing.assert_close(u.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(u.std(0, correction=0), torch.tensor([1.0, 0.0]))
