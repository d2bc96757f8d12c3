"""Tests of the adversarial autoencoder, whose discriminator is known."""

import math

import pytest
import torch
from torch import nn

from vae_lightning.distributions import ClassConditional
from vae_lightning.errors import UserError
from vae_lightning.models import AAE


@pytest.fixture
def model(parts):
    """A model whose discriminator's logit is the sum of the latents."""
    model = AAE(lambda_adv=4.0, discriminator_dims=[], **parts)
    model.discriminator[0].weight.data.fill_(1.0)
    model.discriminator[0].bias.data.zero_()
    return model


def test_each_loss_is_the_cross_entropy_of_its_own_answer(model, images):
    """The encoder is rewarded where the discriminator takes codes for samples; the discriminator is not."""
    out = model(images)
    is_code = out.z.sum(1).sigmoid()
    terms = model.objective(out)
    expected = -(1 - is_code).log().mean()
    torch.testing.assert_close(terms["generator_loss"], expected)
    torch.testing.assert_close(terms["loss"], terms["distortion"] + 4 * expected)
    assert torch.equal(terms["objective"], terms["distortion"])

    torch.manual_seed(1)
    loss = model.discriminator_loss(out)
    torch.manual_seed(1)
    sample_is_code = torch.randn(7, 3).sum(1).sigmoid()
    torch.testing.assert_close(loss, -0.5 * (is_code.log().mean() + (1 - sample_is_code).log().mean()))


def test_gradients_push_codes_towards_the_prior_and_stop_at_the_discriminators_input(model, images):
    out = model(images)
    (gradient,) = torch.autograd.grad(model.objective(out)["generator_loss"], out.z, retain_graph=True)
    assert (gradient > 0).all()  # descent lowers the logit of being a code
    model.discriminator_loss(out).backward()
    assert all(p.grad is None for p in model.encoder.parameters())


def test_at_chance_level_the_losses_are_log_2(parts, images):
    model = AAE(discriminator_dims=[], **parts)
    nn.init.zeros_(model.discriminator[0].weight)
    nn.init.zeros_(model.discriminator[0].bias)
    out = model(images)
    assert model.objective(out)["generator_loss"].item() == pytest.approx(math.log(2))
    assert model.discriminator_loss(out).item() == pytest.approx(math.log(2))


def test_learned_prior_raises(parts):
    with pytest.raises(UserError, match=r"^model/prior: AAE requires N\(0, I\). Set model/prior=standard_normal.$"):
        AAE(**{**parts, "conditional": True}, prior=ClassConditional)


def test_weights_of_a_discriminator_that_was_not_given_the_labels_can_be_loaded(parts, images):
    old, new = AAE(**parts), AAE(**{**parts, "conditional": True})
    weights = new.state_dict() | {name: value for name, value in old.state_dict().items() if "discriminator" in name}
    new.load_state_dict(weights)
    out = new(images, torch.zeros(len(images), dtype=torch.int64))
    torch.testing.assert_close(new.discriminator(out.append_condition(out.z)), old.discriminator(out.z))
