"""Each variant: its objective on paper, its shapes, its gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from vae_lightning.errors import UserError
from vae_lightning.models import AE, VAE, BetaVAE

VARIANTS = {"ae": AE, "vae": VAE, "beta_vae": lambda **parts: BetaVAE(beta=4.0, **parts)}
Y = torch.tensor([0, 1, 2, 3, 9, 9, 9])


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_pass_has_the_right_shapes_and_every_parameter_learns(variant, conditional, parts, images):
    model = VARIANTS[variant](**{**parts, "conditional": conditional})
    loss = model.step("train", (images, Y))
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert model.reconstruct(images, Y).shape == images.shape
    assert model.sample(3, Y[:3]).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("warmup", [0.25, 1.0])
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_the_loss_is_distortion_and_weighted_kl(beta, warmup, parts, images):
    """vae-cvae-mnist, Eq. 30: summed over pixels and latents, mean over the batch."""
    model = BetaVAE(beta=beta, **parts)
    model.warmup = warmup
    torch.manual_seed(1)
    loss = model.step("val", (images, None))

    torch.manual_seed(1)
    x = images.float() / 255
    q = model.encode(images)
    z = Normal(q.mu, torch.exp(q.logvar / 2)).rsample()
    distortion = F.binary_cross_entropy(model.decode(z).mean, x, reduction="sum") / 7
    rate = kl_divergence(Normal(q.mu, torch.exp(q.logvar / 2)), Normal(0.0, 1.0)).sum() / 7
    torch.testing.assert_close(loss, distortion + warmup * beta * rate)

    means = model.means["val"].compute(lambda sums: sums)
    torch.testing.assert_close(means["loss"], loss.detach())
    torch.testing.assert_close(means["objective"], (distortion + beta * rate).detach())
    torch.testing.assert_close(means["distortion"], distortion.detach())
    torch.testing.assert_close(means["rate"], rate.detach())
    assert model.beta == warmup * beta


def test_beta_1_is_the_vae_to_the_bit(parts, images):
    losses = []
    for variant in (VAE, lambda **p: BetaVAE(beta=1.0, **p)):
        torch.manual_seed(0)
        losses.append(variant(**parts).step("train", (images, None)))
    assert torch.equal(*losses)


def test_the_autoencoder_draws_nothing(parts, images):
    model = AE(**parts)
    first, second = model(images), model(images)
    assert torch.equal(first.px.mean, second.px.mean)
    assert torch.equal(first.z, first.qz.mean)


def test_the_autoencoder_of_kingma_welling_replication_has_its_parameters(parts):
    """Appendix A.2: 787,786 parameters at hidden 500 and latent 2, and a code in [-1, 1]."""
    from vae_lightning.networks import MLP

    network = MLP(hidden_dims=[500], activation="Tanh")
    model = AE(**{**parts, "image_shape": (1, 28, 28), "latent_dim": 2, "network": network})
    assert sum(p.numel() for p in model.parameters()) == 787_786
    assert model.encode(255 * torch.ones(1, 1, 28, 28)).mean.abs().max() <= 1


def test_a_conditional_model_uses_the_label_in_encoder_and_decoder(parts, images):
    model = VAE(**{**parts, "conditional": True})
    z = torch.zeros(7, 3)
    assert not torch.equal(model.encode(images, Y).mu, model.encode(images, Y.flip(0)).mu)
    assert not torch.equal(model.decode(z, Y).mean, model.decode(z, Y.flip(0)).mean)


def test_an_unconditional_model_does_not_look_at_the_label(parts, images):
    model = VAE(**parts)
    assert torch.equal(model.reconstruct(images, Y), model.reconstruct(images))


def test_uint8_and_float_images_are_the_same(parts, images):
    model = VAE(**parts)
    assert torch.equal(model.reconstruct(images), model.reconstruct(images.float() / 255))


def test_a_generator_makes_samples_repeat(parts):
    model = VAE(**parts)
    one, two = (model.sample(2, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


def test_mistakes_are_told(parts, images):
    with pytest.raises(UserError, match=r"takes images of shape \(B, 1, 8, 8\), not \(7, 1, 4, 16\)"):
        VAE(**parts)(images.view(7, 1, 4, 16))
    with pytest.raises(UserError, match="needs labels, and this data has none"):
        VAE(**{**parts, "conditional": True, "num_classes": None})
    with pytest.raises(UserError, match="give it y as well, the labels"):
        VAE(**{**parts, "conditional": True})(images)
