"""Tests of posterior means relative to the prior, by which latents count as active."""

import pytest
import torch

from vae_lightning.distributions import DeltaDistribution, DiagonalGaussian
from vae_lightning.models import AE, HIWAE, HVAE, JointVAE
from vae_lightning.models.encoding import encode, standardize
from vae_lightning.posteriors import Gamma, PoincareBall, VonMisesFisher
from vae_lightning.priors import GammaPrior, MixturePrior, UniformSphere, WrappedNormalPrior


@pytest.mark.parametrize(
    ("posterior", "prior"),
    [
        (VonMisesFisher, UniformSphere(latent_dim=200)),
        (Gamma, GammaPrior(latent_dim=200, concentration=2.0, rate=50.0)),
        (PoincareBall, WrappedNormalPrior(latent_dim=200, posterior=PoincareBall(4, 200, curvature=100.0))),
    ],
)
def test_means_with_the_distribution_of_the_prior_have_variance_1(posterior, prior):
    """Unlike those on a sphere of 200 dimensions themselves, whose variance is 0.005."""
    torch.manual_seed(0)
    p = prior(None, None)
    deviation = standardize(DeltaDistribution(p.sample(2000)), p, posterior.support)
    assert deviation.mean(0).abs().max() < 0.2
    torch.testing.assert_close(deviation.var(0), torch.ones(200), rtol=0.3, atol=0)


def test_scale_of_a_mixture_is_not_known():
    q = DiagonalGaussian(torch.randn(5, 3), torch.zeros(5, 3))
    assert standardize(q, MixturePrior(latent_dim=3)(None, None), "vectors") is None


def test_probabilities_of_categories_are_no_latents_that_could_be_active(parts, images):
    model = JointVAE(**{**parts, "latent_dim": 14}, categories=(10,)).eval()
    encoded = encode(model, [(images, None)], seed=0)
    assert encoded.mean.shape == (len(images), 14)
    torch.testing.assert_close(encoded.deviation, encoded.mean[:, :4])


def test_a_model_without_a_density_has_its_codes_as_deviation(parts, images):
    encoded = encode(AE(**parts).eval(), [(images, None)], seed=0)
    assert encoded.deviation is encoded.mean


@torch.no_grad()
@pytest.mark.parametrize("cls", [HVAE, HIWAE])
def test_means_of_a_hierarchy_are_those_given_the_means_above(cls, parts, images):
    model = cls(**parts).eval()
    assert torch.equal(encode(model, [(images, None)], seed=0).mean, model.encode(images).mean)
