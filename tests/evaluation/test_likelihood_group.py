"""The group of metrics `likelihood`."""

import math
from dataclasses import replace

import pytest
import torch
from evaluation_cases import NOT_FACTORIZED, TINY, build

from vae_lightning.distributions import (
    MSSSIM,
    DiagonalGaussian,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    StandardNormal,
)
from vae_lightning.errors import UserError
from vae_lightning.evaluation.likelihood import likelihood
from vae_lightning.evaluation.settings import Settings
from vae_lightning.models import IWAE, VAE
from vae_lightning.priors import SecondStageVAE


@pytest.mark.parametrize("name", ["vae", "cvae", "by_class"])
def test_annealing_agrees_with_importance_sampling(name, parts, make_context):
    """For a model with few latents, both are accurate. The gap of the bounds falls with the steps."""
    model = build(name, parts)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter *= 2.5  # the posterior of an untrained model is too close to the prior
    settings = Settings(likelihood_images=10, samples=2000, ais=60, ais_images=10, ais_chains=20, chunk=100)
    found = likelihood(make_context(model, settings=settings))
    assert found["ais_log_px"].value == pytest.approx(found["log_px"].value, abs=0.1)
    assert abs(found["ais_gap"].value) < 0.5
    short = likelihood(make_context(model, settings=replace(settings, samples=1, ais=1)))
    assert short["ais_gap"].value > 1
    assert "ais_gap" not in likelihood(make_context(model, settings=replace(settings, samples=1, ais=0)))


def test_annealing_does_not_depend_on_the_pass_size_of_importance_sampling(parts, make_context):
    model, settings = VAE(**parts), replace(TINY, ais=3, ais_images=6, ais_chains=2)
    one, other = (likelihood(make_context(model, settings=replace(settings, chunk=chunk))) for chunk in (2, 100))
    assert one["ais_log_px"] == other["ais_log_px"]
    assert one["ais_gap"] == other["ais_gap"]


def test_annealing_requires_an_exact_prior(parts, make_context):
    model = VAE(**{**parts, "prior": SecondStageVAE})
    found = likelihood(make_context(model, settings=replace(TINY, ais=2)))
    assert found["ais_log_px"].note == "unavailable: log p(z) of VAE is an estimate, which would bias the chains"


class BoundedNormal(StandardNormal):
    """N(0, I), whose density is known up to a random factor, as for a diffusion model."""

    is_estimated = is_bound = True

    def forward(self, encode, condition):
        return NoisyGaussian(*super().forward(encode, condition))


class NoisyGaussian(DiagonalGaussian):
    """Its `log_prob` is log p(z) - 1 on average, and the mean of its exponential is above p(z)."""

    def log_prob(self, z):
        return super().log_prob(z) - 1 + 3 * torch.randn(len(z))

    def kl(self, p):
        return None


def test_a_bound_on_the_prior_gives_a_rate_and_no_log_px(parts, make_context):
    model = VAE(**{**parts, "prior": BoundedNormal})
    found = likelihood(make_context(model, settings=replace(TINY, ais=2)))
    assert found["log_px"].note == "unavailable: p(z) of VAE has only a bound on its density"
    assert found["ais_log_px"].value is None
    assert found["nelbo"].value == pytest.approx(found["distortion"].value + found["rate"].value)
    exact = likelihood(make_context(VAE(**parts), settings=TINY))["rate"].value
    assert found["rate"].value - exact == pytest.approx(1, abs=2)  # of 120 images with a deviation of 3
    with pytest.raises(UserError, match="has no density"):
        model.log_px(torch.rand(2, 1, 8, 8), samples=2)
    with pytest.raises(UserError, match=r"IWAE requires densities of .* which GaussianPosterior and BoundedNormal do "):
        IWAE(**{**parts, "prior": BoundedNormal})


def test_annealing_without_samples_has_a_lower_bound_only(parts, make_context):
    settings = replace(TINY, ais=2, ais_images=3, ais_chains=2)
    found = likelihood(make_context(VAE(**{**parts, "likelihood": MSSSIM(window_size=7)}), settings=settings))
    assert found["ais_log_px"].value is not None
    assert found["ais_gap"].note == "unavailable: MSSSIM has no samples"
    dependent = VAE(**{**parts, "likelihood": DiscretizedLogisticMixture()})  # the channels of a pixel
    assert likelihood(make_context(dependent, settings=settings))["ais_gap"].value is not None


@pytest.mark.parametrize("name", ["cvae", "by_class", "hvae", "vamp_vae", *NOT_FACTORIZED[1:]])
def test_log_px_does_not_depend_on_the_chunk(name, parts, make_context):
    model = build(name, parts)
    values = [
        likelihood(make_context(model, settings=Settings(likelihood_images=7, samples=20, chunk=chunk)))["log_px"]
        for chunk in (3, 20, 1000)
    ]
    assert values[0].value == pytest.approx(values[1].value, rel=1e-6)
    assert values[0].value == pytest.approx(values[2].value, rel=1e-6)


@pytest.mark.parametrize(("name", "terms"), [("vae", 3), ("vq_vae", 3), ("ae", 1)])
def test_terms_of_the_likelihood_tell_the_number_of_their_images(name, terms, parts, make_context):
    found = likelihood(make_context(build(name, parts)))
    notes = [found[term].note for term in ("nelbo", "distortion", "rate")]
    assert sum(note.startswith("nats; 20 images") for note in notes) == terms


@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_cross_entropy_of_images_that_are_not_binary_is_no_likelihood(binarize, parts, make_context):
    note = likelihood(make_context(VAE(**parts), binarize=binarize))["log_px"].note
    assert ("for pixels between 0 and 1 not a likelihood" in note) == (binarize == "none")


def test_bits_per_dim_needs_a_likelihood_of_8_bit_images(parts, make_context):
    model = VAE(**{**parts, "likelihood": DiscretizedLogistic(scale=0.1)})
    found = likelihood(make_context(model))
    assert found["bits_per_dim"].value == pytest.approx(-found["log_px"].value / (64 * math.log(2)))
    missing = likelihood(make_context(VAE(**parts)))["bits_per_dim"]
    assert missing == (None, None, None, "unavailable: Bernoulli is not a probability of 8-bit images")
