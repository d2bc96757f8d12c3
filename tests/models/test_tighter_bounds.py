"""Tests of MIWAE, PIWAE and CIWAE: their bounds by hand, and which bound each part of the model is trained with."""

import math
from functools import partial

import lightning as L
import pytest
import torch

from vae_lightning.distributions import Gaussian
from vae_lightning.errors import UserError
from vae_lightning.models import CIWAE, IWAE, MIWAE, PIWAE
from vae_lightning.posteriors import FullCovariance

LOG_W = torch.tensor([1.0, 3.0, 5.0, 8.0]).log()[:, None]  # (K·M, B), B = 1; the bounds have draws 1, 3 and 2, 4


def test_miwae_is_the_mean_of_bounds(parts):
    assert MIWAE(num_bounds=2, num_samples=2, **parts).bound(LOG_W).item() == pytest.approx(
        (math.log(6 / 2) + math.log(11 / 2)) / 2
    )


def test_miwae_with_one_bound_is_the_iwae_and_with_one_sample_the_mean(parts):
    torch.testing.assert_close(
        MIWAE(num_bounds=1, num_samples=4, **parts).bound(LOG_W), IWAE(num_samples=4, **parts).bound(LOG_W)
    )
    torch.testing.assert_close(MIWAE(num_bounds=4, num_samples=1, **parts).bound(LOG_W), LOG_W.mean(0))


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_ciwae_interpolates_between_elbo_and_iwae(weight, parts):
    bound = CIWAE(num_samples=4, elbo_weight=weight, **parts).bound(LOG_W)
    expected = weight * math.log(1 * 3 * 5 * 8) / 4 + (1 - weight) * math.log(17 / 4)
    assert bound.item() == pytest.approx(expected)


def gradients(model, images, state, warmup):
    """Return the loss and the gradients of all weights for given weights and the same noise."""
    model.load_state_dict(state)
    model.warmup = warmup
    torch.manual_seed(1)
    loss = model.double().objective(model(images))["loss"]
    loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("gradient", ["standard", "stl", "dreg"])
@pytest.mark.parametrize(("scale", "warmup"), [(1.0, 1.0), (1.0, 0.3), (30.0, 1.0)])
def test_piwae_has_the_gradients_of_two_backward_passes(scale, warmup, gradient, parts, images):
    """With large weights of the decoder, most draws have no weight at all in its own bound."""
    model = PIWAE(num_bounds=2, num_samples=3, gradient=gradient, **parts)
    for parameter in model.decoder.parameters():
        parameter.data *= scale
    state = model.state_dict()
    of_decoder = gradients(IWAE(num_samples=6, gradient=gradient, **parts), images, state, warmup)
    of_encoder = gradients(MIWAE(num_bounds=2, num_samples=3, gradient=gradient, **parts), images, state, warmup)
    loss, actual = gradients(model, images, state, warmup)
    assert loss == pytest.approx(of_decoder[0], rel=1e-12)
    for name, value in actual.items():
        expected = (of_decoder if name.startswith("decoder") else of_encoder)[1][name]
        torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)


def test_piwae_requires_a_diagonal_gaussian(parts):
    with pytest.raises(UserError, match=r"^model/posterior: PIWAE requires a diagonal Gaussian"):
        PIWAE(**parts, posterior=FullCovariance)


def test_scale_fitted_to_all_draws_alike_is_rejected(parts):
    with pytest.raises(UserError, match=r"scale_type=optimal: IWAE also decodes images that hardly count"):
        IWAE(**{**parts, "likelihood": Gaussian(scale_type="optimal")})


def test_piwae_in_single_precision_trains_the_encoder_with_all_bounds(parts, images):
    """Draws whose weight in the decoder's bound rounds to zero still reach the encoder."""
    model = PIWAE(num_bounds=2, num_samples=3, **parts)
    for parameter in model.decoder.parameters():
        parameter.data *= 30
    model.double()  # to draw the same noise
    _, expected = gradients(model, images, model.state_dict(), 1.0)
    expected = {name: value.float() for name, value in expected.items()}
    torch.manual_seed(1)
    noise = torch.randn(42, 3, dtype=torch.float64).float()
    model.float().zero_grad()
    model.infer = partial(model.infer, noise=noise)
    model.objective(model(images))["loss"].backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], rtol=1e-3, atol=1e-4 * expected[name].abs().max().item())


def test_piwae_without_gradients_is_its_bound(parts, images):
    model = PIWAE(**parts)
    with torch.no_grad():
        terms = model.objective(model(images))
    assert terms["loss"] == terms["objective"]


def test_piwae_rejects_half_precision(parts, monkeypatch):
    model = PIWAE(**parts)
    model.trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    model.on_fit_start()
    monkeypatch.setattr(model.trainer.strategy.precision_plugin, "precision", "16-mixed")
    with pytest.raises(UserError, match=r"^trainer\.precision=16-mixed: .* Set trainer\.precision=bf16-mixed\.$"):
        model.on_fit_start()
