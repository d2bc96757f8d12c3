"""What every model has of every group of metrics, and the images and draws that the groups share."""

import pytest
import torch
from evaluation_cases import MODELS, NOT_FACTORIZED, build

from vae_lightning.errors import UserError
from vae_lightning.evaluation.disentanglement import disentanglement
from vae_lightning.evaluation.downstream import downstream
from vae_lightning.evaluation.information import information
from vae_lightning.evaluation.likelihood import likelihood
from vae_lightning.evaluation.samples import samples
from vae_lightning.evaluation.settings import Settings
from vae_lightning.evaluation.table import flatten
from vae_lightning.models import VAE

WITHOUT_RATE = ("ae", "wae", "swae", "rae", "aae")
WITHOUT_CHAINS = ("hvae", "hvae_mixture", "hiwae", "vdvae", "vmf_vae", "poincare_vae", "joint_vae")  # in latent space
WITHOUT_CHAINS += ("gamma_vae",)
CODES = ("vq_vae", "fsq_vae", "lfq_vae", "rvq_vae")
WITHOUT_DENSITY = (*WITHOUT_RATE, *CODES)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_numbers_or_a_reason_why_not(name, parts, make_context):
    context = make_context(build(name, parts))
    found = likelihood(context) | information(context) | samples(context) | downstream(context)
    for result in found.values():
        assert result.value is not None or result.note.startswith("unavailable: ")
    assert found["distortion"].value > 0
    assert found["psnr"].value > 0
    assert found["fid"].value > 0
    assert 0 < found["mmd_p_value"].value <= 1
    assert (found["linear_probe"].value is None) == (name in ("cvae", "by_class", "cvae_gan", "m2"))
    assert (found["log_px"].value is None) == (name in WITHOUT_DENSITY)
    assert (found["nelbo"].value is None) == (name in WITHOUT_RATE)
    assert (found["ais_log_px"].value is None) == (name in (*WITHOUT_CHAINS, *CODES))
    assert (found["ais_gap"].value is None) == (name in (*WITHOUT_CHAINS, *CODES))
    assert (found["mutual_information"].value is None) == (name in (*WITHOUT_DENSITY, *NOT_FACTORIZED))
    other_prior = ("by_class", "vamp_vae", "vade")
    assert (found["dimension_wise_kl"].value is None) == (name in (*WITHOUT_DENSITY, *NOT_FACTORIZED, *other_prior))
    assert (found["clustering_accuracy"].value is None) == (found["clustering_nmi"].value is None)
    assert (found["clustering_accuracy"].value is None) == (name not in ("vade", "hvae_mixture"))
    if name not in WITHOUT_DENSITY:
        assert -found["log_px"].value < found["nelbo"].value
    if name not in WITHOUT_RATE:
        total = found["distortion"].value + found["rate"].value
        assert found["nelbo"].value == pytest.approx(total)


def test_bound_and_terms_equal_those_of_training(parts, make_context):
    """With many draws the rate approaches its closed form, and the three terms sum to the rate of the same draws."""
    model = VAE(**parts)
    context = make_context(model, settings=Settings(images=100, samples=2000, test_images=30))
    found = likelihood(context) | information(context)
    rate = model.objective(model(context.x))["rate"].item()
    assert found["rate"].value == pytest.approx(rate, abs=0.05)
    assert sum(found["kl_per_latent"].value) == pytest.approx(rate, rel=1e-4)
    z = context.encoded.z
    q = model.encode(context.x)
    sampled = (q.log_prob(z) - model.prior(None, None).log_prob(z)).mean().item()
    terms = ("mutual_information", "total_correlation", "dimension_wise_kl")
    assert sum(found[term].value for term in terms) == pytest.approx(sampled, abs=1e-4)


def test_posterior_and_prior_are_drawn_independently(make_context, parts):
    """If the posterior is the prior, its draws are the noise. The two-sample test needs other noise for the prior."""
    model = VAE(**parts)
    for parameter in model.posterior.parameters():
        torch.nn.init.zeros_(parameter)
    context = make_context(model)
    z, prior = context.encoded.z, context.sample_prior(100)
    assert torch.cdist(z, prior).min() > 0


def test_units_that_only_follow_the_prior_of_their_class_are_not_active(parts, make_context):
    model = build("by_class", parts)
    torch.nn.init.normal_(model.prior.mu.weight)
    model.encode = lambda x, y: model.prior(None, model.condition(y))
    found = information(make_context(model))
    assert found["active_units"].value == 0
    assert max(found["kl_per_latent"].value) == 0


def test_images_are_binarized_as_in_training(parts, make_context):
    one, two = (make_context(VAE(**parts), binarize="dynamic") for _ in range(2))
    assert set(one.x.unique().tolist()) == {0, 255}
    assert torch.equal(one.x, two.x)


def test_empty_split_raises(parts, make_context):
    with pytest.raises(UserError, match="--split=val: this run has no val images"):
        make_context(VAE(**parts), settings=Settings(split="val"))


def test_flatten_adds_the_uncertainty_to_each_number(parts, make_context):
    context = make_context(VAE(**parts), "factors")
    numbers = flatten("likelihood", likelihood(context)) | flatten("disentanglement", disentanglement(context))
    assert {"likelihood/log_px_se", "disentanglement/mig_std"} <= set(numbers)
