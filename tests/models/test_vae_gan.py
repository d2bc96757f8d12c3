"""Tests of the VAE-GAN."""

from functools import partial

import pytest
import torch
from adversarial_models import ADAM, MODELS

from vae_lightning.distributions import VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import VAEGAN
from vae_lightning.models.vae_gan import scale_gradient


def gradients(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)


def test_encoder_and_decoder_get_the_gradients_of_their_losses(parts, images):
    """Larsen et al. 2016, Algorithm 1: KL + L for the encoder, γ L and the generator loss for the decoder."""
    model = MODELS["vae_gan"](**parts)
    torch.manual_seed(1)
    loss = model.objective(model(images))["loss"]

    reference = MODELS["vae_gan"](**parts)
    reference.load_state_dict(model.state_dict())
    torch.manual_seed(1)
    x = reference.as_images(images)
    qz = reference.encode(x)
    z = qz.rsample()
    real, fake = (reference.discriminator(images)[0] for images in (x, reference.decode(z).mean))
    features = 0.5 * (real - fake).square().sum(1).mean()
    rate = 0.5 * (qz.mu.square() + qz.logvar.exp() - qz.logvar - 1).sum(1).mean()
    noise = torch.randn(7, 3)
    logits = reference.discriminator(reference.decode(torch.cat([z.detach(), noise])).mean)[1]
    generator = -torch.nn.functional.logsigmoid(logits).sum() / 7
    for actual, expected in zip(
        gradients(loss, model.encoder), gradients(rate + features, reference.encoder), strict=True
    ):
        torch.testing.assert_close(actual, expected)
    of_decoder = gradients(0.5 * features + generator, reference.decoder)
    for actual, expected in zip(gradients(loss, model.decoder), of_decoder, strict=True):
        torch.testing.assert_close(actual, expected)


def test_generator_loss_gives_encoder_and_prior_no_gradient(parts, images):
    prior = partial(VampPrior, num_components=3)
    model = VAEGAN(gamma=0.5, discriminator_optimizer=ADAM, prior=prior, **parts)
    model.objective(model(images))["generator_loss"].backward()
    others = [*model.encoder.parameters(), *model.posterior.parameters(), *model.prior.parameters()]
    assert all(p.grad is None or not p.grad.any() for p in others)
    assert any(p.grad is not None for p in model.decoder.parameters())


def test_scale_gradient_keeps_the_value():
    x = torch.randn(5, requires_grad=True)
    y = scale_gradient(x, 0.1)
    assert torch.equal(y, x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 0.1))


def test_gamma_of_0_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model\.gamma=0\.0: must be > 0"):
        VAEGAN(gamma=0.0, discriminator_optimizer=ADAM, **parts)
