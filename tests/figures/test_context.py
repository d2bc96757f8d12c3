"""Tests of the inputs of figures: probe images, their posterior, and evaluation without side effects."""

import numpy as np
import pytest
import torch
from figure_inputs import build_data, build_model

from vae_lightning.data import Batch
from vae_lightning.distributions import GaussianPosterior
from vae_lightning.figures.context import FigureContext, format_title
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.posterior_stats import posterior_stats
from vae_lightning.figures.probe_images import probe_images
from vae_lightning.rng import rng_state


def test_posterior_stats_measure_rates_and_activity_relative_to_the_prior(small):
    model = build_model(small, "model=cvae", "model/prior=class_conditional")
    images = Batch(torch.rand(50, 1, 8, 8), torch.arange(50) % 10)
    with isolated_eval(model):
        posterior = posterior_stats(model, images)
    q = model.encode(*images)
    rates = 0.5 * (q.mu**2 + q.logvar.exp() - q.logvar - 1).mean(0)
    torch.testing.assert_close(posterior.rates, rates, atol=1e-6, rtol=1e-4)
    with torch.no_grad():  # the prior depends on the class, the posterior does not
        model.prior.mu.weight.copy_(torch.randn(3, 10))
        model.posterior.mu.weight.zero_()
    with isolated_eval(model):
        before = posterior_stats(model, images)
    assert before.deviation.var(0).min() > 0.01
    assert before.active.all()
    model.encode = lambda x, y: model.prior(None, model.condition(y))
    with isolated_eval(model):
        assert not posterior_stats(model, images).active.any()


def test_probe_images_are_fixed_and_shuffled(small):
    data = build_data(small)
    first, more = probe_images(data, 10), probe_images(data, 100)
    assert torch.equal(first.x, more.x[:10])
    assert len(first.y.unique()) > 4
    data.binarize = "dynamic"
    assert torch.equal(probe_images(data, 10).x, probe_images(data, 10).x)
    assert set(probe_images(data, 10).x.unique().tolist()) == {0, 255}


def test_isolated_eval_restores_modes_and_random_state(small):
    model = build_model(small, "model=vq_vae", "model.latent_dim=4").train()
    model.decoder.eval()
    before = rng_state()
    with isolated_eval(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        torch.rand(3)
        np.random.rand()
    assert torch.equal(rng_state()["torch"], before["torch"])
    assert torch.equal(rng_state()["numpy"][1], before["numpy"][1])
    assert model.encoder.training
    assert not model.decoder.training
    with pytest.raises(ZeroDivisionError), isolated_eval(model):
        raise ZeroDivisionError
    assert model.encoder.training


def test_format_title_names_the_run_its_weights_and_the_epoch(small):
    model = build_model(small, "model=beta_vae", "model.beta=4")
    assert format_title("vae-mnist", model, 0.5, 3) == "vae-mnist, β = 2, epoch 3"
    assert format_title("ae-mnist", build_model(small, "model=ae"), 1.0, 3) == "ae-mnist, epoch 3"


@pytest.mark.parametrize("posterior", ["gaussian", "full_covariance"])
def test_ranges_include_the_spread_of_the_posterior_of_each_image(posterior, small):
    """An untrained encoder gives each image nearly N(0, I)."""
    options = [] if posterior == "gaussian" else [f"model/posterior={posterior}"]
    context = FigureContext(build_model(small, "model=vae", *options), build_data(small))
    with isolated_eval(context.model):
        low, high = context.ranges.T
    assert ((high - low > 3) & (high - low < 5)).all()  # 0.1 without that spread


def test_ranges_stay_in_the_support(small, monkeypatch):
    context = FigureContext(build_model(small, "model=vae"), build_data(small))
    monkeypatch.setattr(GaussianPosterior, "lower_bound", -0.5)
    monkeypatch.setattr(GaussianPosterior, "upper_bound", 1.0)
    with isolated_eval(context.model):
        assert context.ranges.tolist() == [[-0.5, 1.0]] * 3


def test_centers_of_a_hamiltonian_vae_are_those_that_the_decoder_receives(small):
    model, images = build_model(small, "model=hamiltonian_vae"), Batch(torch.rand(500, 1, 8, 8), None)
    with torch.no_grad():
        model.step_logit.fill_(1)
    with isolated_eval(model):
        torch.manual_seed(0)
        z = model.infer(images.x)[2]
        torch.manual_seed(0)
        torch.testing.assert_close(posterior_stats(model, images).centers, z)
