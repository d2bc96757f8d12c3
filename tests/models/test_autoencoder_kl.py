"""Tests of the autoencoder of latent diffusion."""

import math

import pytest
import torch
from adversarial_models import MODELS
from small_training import digits, quiet_trainer

from vae_lightning.distributions import Laplace
from vae_lightning.errors import UserError
from vae_lightning.models import AutoencoderKL
from vae_lightning.models.autoencoder_kl import PatchDiscriminator
from vae_lightning.models.perceptual import RandomFeatureDistance
from vae_lightning.networks import SpatialResNet

SMALL = {"network": SpatialResNet(channels=[4, 8]), "discriminator_channels": [4]}


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def has_gradient(module):
    return any(p.grad is not None and p.grad.any() for p in module.parameters())


def test_a_logit_sees_only_its_patch():
    discriminator = PatchDiscriminator(1, [8])  # one convolution, hence without norm: patches of 7 x 7
    x = torch.rand(1, 1, 20, 31)
    logits = discriminator(x)
    assert logits.shape == (1, 1, 10, 16)
    x[..., :4] = 0
    is_equal = (discriminator(x) == logits)[0, 0]
    assert is_equal[:, 4:].all()  # column j sees the columns 2j - 3 to 2j + 3
    assert not is_equal[:, :3].any()
    assert PatchDiscriminator(3, [4, 4, 4])(torch.rand(2, 3, 1, 5)).shape == (2, 1, 1, 1)


def test_terms_have_the_units_of_the_paper(images):
    """The sum of |x - x̂| for images in [-1, 1], and C·H·W times the perceptual distance."""
    torch.manual_seed(0)
    model = AutoencoderKL(image_shape=(1, 8, 8), beta=0.5, discriminator_start=0.0, **SMALL)
    assert model.latent_shape == (4, 4, 4)
    model.warmup = 0.25
    out = model(images)
    terms = model.objective(out)
    x, reconstruction = images / 127.5 - 1, 2 * out.px.mean - 1
    distortion = (x - reconstruction).abs().sum((1, 2, 3)).mean()
    rate = 0.5 * (out.qz.mu.square() + out.qz.logvar.exp() - out.qz.logvar - 1).sum(1).mean()
    perceptual = 64 * RandomFeatureDistance(1)(out.x, out.px.mean).mean()
    generator = -model.discriminator(out.px.mean).mean((1, 2, 3)).mean()
    expected = {
        "distortion": distortion,
        "rate": rate,
        "perceptual": perceptual,
        "generator_loss": generator,
        "objective": distortion + 0.5 * rate + perceptual,
        "loss": distortion + 0.125 * rate + perceptual + terms["adaptive_weight"] * generator,
    }
    assert terms.keys() - expected.keys() == {"adaptive_weight"}
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)


@pytest.mark.parametrize("perceptual_weight", [0.0, 2.0])
def test_adaptive_weight_is_the_ratio_of_the_gradients_at_the_last_layer(perceptual_weight, images):
    """Esser et al. 2021, Eq. 7."""
    torch.manual_seed(0)
    model = AutoencoderKL(image_shape=(1, 8, 8), perceptual_weight=perceptual_weight, discriminator_start=0.0, **SMALL)
    model.discriminator[-1].weight.data *= 100  # so that the ratio is below its maximum
    out = model(images)
    weight = model.objective(out)["adaptive_weight"]
    assert not weight.requires_grad
    last = model.decoder[1][-1].weight
    assert last.shape == (1, 4, 3, 3)
    x, reconstruction = out.x, out.px.mean
    distance = model.perceptual_distance(x, reconstruction).mean()
    distortion = 2 * (x - reconstruction).abs().sum() / 7 + perceptual_weight * 64 * distance
    generator = -model.discriminator(reconstruction).mean()
    numerator, denominator = (
        math.sqrt(sum(torch.autograd.grad(loss, last, retain_graph=True)[0].square().flatten().tolist()))
        for loss in (distortion, generator)
    )
    assert weight.item() == pytest.approx(0.5 * numerator / (denominator + 1e-4), rel=1e-4)
    assert model.adaptive_weight.item() == weight.item()

    model.discriminator[-1].weight.data.zero_()  # then the generator loss has no gradient
    assert model.objective(model(images))["adaptive_weight"].item() == pytest.approx(0.5 * 1e4)


def test_evaluation_uses_the_weight_of_the_last_training_batch(parts, images):
    model = MODELS["autoencoder_kl"](**parts)
    weight = model.objective(model(images))["adaptive_weight"]
    model.eval()
    with torch.no_grad():
        assert torch.equal(model.objective(model(images[:3]))["adaptive_weight"], weight)


def test_generator_loss_reaches_encoder_and_decoder_and_discriminator_loss_only_the_discriminator(parts, images):
    model = MODELS["autoencoder_kl"](**parts)
    model.objective(model(images))["generator_loss"].backward()
    assert all(has_gradient(module) for module in (model.encoder, model.posterior, model.decoder))
    model.zero_grad()
    model.discriminator_loss(model(images)).backward()
    assert has_gradient(model.discriminator)
    assert not any(has_gradient(module) for module in (model.encoder, model.posterior, model.decoder))


@pytest.mark.parametrize(("logit", "loss"), [(0.0, 1.0), (0.5, 1.0), (2.0, 1.5), (-3.0, 2.0)])
def test_discriminator_loss_is_the_hinge_loss(logit, loss, parts, images):
    """½ max(0, 1 - l) + ½ max(0, 1 + l) for the same logit l everywhere."""
    model = MODELS["autoencoder_kl"](**parts)
    model.discriminator[-1].weight.data.zero_()
    model.discriminator[-1].bias.data.fill_(logit)
    out = model(images)
    assert model.discriminator_loss(out).item() == pytest.approx(loss)
    assert model.objective(out)["generator_loss"].item() == pytest.approx(-logit)


def test_before_the_start_the_weight_is_0_and_the_discriminator_is_not_trained(parts):
    model = AutoencoderKL(**parts, discriminator_channels=[4], discriminator_start=1.5)
    weights, changed = [], []
    training_step = model.training_step

    def recording_step(batch, batch_idx):
        before = state(model.discriminator)
        training_step(batch, batch_idx)
        weights.append(model.adaptive_weight.item())
        changed.append(any(not torch.equal(p, before[name]) for name, p in model.discriminator.state_dict().items()))

    model.training_step = recording_step
    quiet_trainer(max_epochs=2).fit(model, datamodule=digits())  # 2 epochs of 5 batches, 1,257 images
    starts = [256 * (i % 5) + 1257 * (i // 5) >= 1.5 * 1257 for i in range(10)]
    assert starts == [False] * 8 + [True] * 2
    assert changed == starts
    assert [weight != 0 for weight in weights] == starts


def test_before_the_start_the_generator_loss_has_no_gradient(parts, images):
    model = AutoencoderKL(**parts, discriminator_start=0.1)
    model.regularizer.dataset_size = 10
    terms = model.objective(model(images))
    assert terms["adaptive_weight"].item() == 0
    terms["loss"].backward()
    assert not has_gradient(model.discriminator)
    model.images_seen = 1
    assert model.objective(model(images))["adaptive_weight"].item() > 0


def test_start_requires_the_number_of_training_images(parts, images):
    model = AutoencoderKL(**parts)
    with pytest.raises(UserError, match=r"requires the number of training images"):
        model.objective(model(images))


@pytest.mark.parametrize("shape", [(3, 5, 12), (2, 1, 9)])
@pytest.mark.parametrize("scale_type", ["fixed", "pixel"])
def test_any_image_shape_works_with_labels(shape, scale_type):
    torch.manual_seed(0)
    likelihood = Laplace(scale=0.5, scale_type=scale_type)
    options = {"num_classes": 3, "conditional": True, "likelihood": likelihood, "discriminator_start": 0.0}
    model = AutoencoderKL(image_shape=shape, **options, **SMALL)
    y = torch.tensor([0, 2])
    out = model(torch.rand(2, *shape), y)
    assert model.objective(out)["loss"].isfinite()
    assert model.discriminator_loss(out).isfinite()
    assert model.sample(2, y).shape == (2, *shape)
