"""Each variant: its objective on paper, its shapes, its gradients."""

import warnings
from functools import partial

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal, kl_divergence

from vae_lightning.distributions import ClassConditional, VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import (
    AE,
    DIPVAE,
    HVAE,
    IWAE,
    VAE,
    VAEGAN,
    VQVAE,
    WAE,
    AnnealedVAE,
    BetaTCVAE,
    BetaVAE,
    FactorVAE,
    InfoVAE,
)
from vae_lightning.networks import Conv, ResNet
from vae_lightning.training.messages import quiet_lightning

ADAM = partial(torch.optim.Adam, lr=1e-3)
VARIANTS = {
    "ae": AE,
    "vae": VAE,
    "beta_vae": partial(BetaVAE, beta=4.0),
    "annealed_vae": partial(AnnealedVAE, gamma=10.0, capacity=5.0),
    "beta_tcvae": partial(BetaTCVAE, beta=4.0, alpha=1.0, gamma=1.0, estimator="stratified"),
    "factor_vae": partial(FactorVAE, gamma=4.0, discriminator_dims=[16], discriminator_optimizer=ADAM),
    "dip_vae": partial(DIPVAE, kind="ii", lambda_od=1.0, lambda_d=1.0),
    "info_vae": partial(InfoVAE, alpha=0.5, lambda_mmd=10.0, kernel="rbf"),
    "wae": partial(WAE, lambda_mmd=10.0, kernel="imq"),
    "iwae": partial(IWAE, num_samples=3),
    "vamp_vae": partial(VAE, prior=partial(VampPrior, num_components=4)),
    "hvae": partial(HVAE, num_groups=2, hidden_dims=[8]),
    "vq_vae": partial(VQVAE, beta=0.25, code_dim=1, codebook_size=4, ema=False, decay=0.9),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=ADAM),
}
NOT_CONDITIONAL = ("vamp_vae",)
Y = torch.tensor([0, 1, 2, 3, 9, 9, 9])


@pytest.mark.parametrize(
    ("variant", "conditional"),
    [(v, c) for v in VARIANTS for c in (False, True) if not (c and v in NOT_CONDITIONAL)],
)
def test_a_pass_has_the_right_shapes_and_every_parameter_learns(variant, conditional, parts, images):
    model = VARIANTS[variant](**{**parts, "conditional": conditional})
    model.regularizer.dataset_size = 100
    loss = model.objective(model(images, Y))["loss"]
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert model.reconstruct(images, Y).shape == images.shape
    assert model.sample(3, Y[:3]).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_smallest_batches_are_finite_and_so_are_their_gradients(variant, batch_size, parts, images):
    model = VARIANTS[variant](**parts)
    model.regularizer.dataset_size = 100
    loss = model.objective(model(images[:batch_size]))["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_generator_makes_samples_repeat(variant, parts):
    model = VARIANTS[variant](**parts)
    one, two = (model.sample(2, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("warmup", [0.25, 1.0])
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_the_loss_is_distortion_and_weighted_kl(beta, warmup, parts, images):
    """vae-cvae-mnist, Eq. 30: summed over pixels and latents, mean over the batch."""
    model = BetaVAE(beta=beta, **parts)
    model.warmup = warmup
    torch.manual_seed(1)
    terms = model.objective(model(images))

    torch.manual_seed(1)
    x = images.float() / 255
    q = model.encode(images)
    z = Normal(q.mu, torch.exp(q.logvar / 2)).rsample()
    distortion = F.binary_cross_entropy(model.decode(z).mean, x, reduction="sum") / 7
    rate = kl_divergence(Normal(q.mu, torch.exp(q.logvar / 2)), Normal(0.0, 1.0)).sum() / 7
    torch.testing.assert_close(terms["loss"], distortion + warmup * beta * rate)
    torch.testing.assert_close(terms["objective"], distortion + beta * rate)
    torch.testing.assert_close(terms["distortion"], distortion)
    torch.testing.assert_close(terms["rate"], rate)
    assert model.regularizer.effective_weights(warmup) == {"beta": warmup * beta}


def test_beta_1_is_the_vae_to_the_bit(parts, images):
    losses = []
    for variant in (VAE, partial(BetaVAE, beta=1.0)):
        torch.manual_seed(0)
        model = variant(**parts)
        losses.append(model.objective(model(images))["loss"])
    assert torch.equal(*losses)


def test_the_capacity_is_paid_for_by_its_distance_from_the_rate_alone(parts, images):
    """At C = KL the loss is the distortion."""
    model = AnnealedVAE(gamma=1000.0, capacity=0.0, **parts)
    s = model(images)
    model.regularizer.capacity = model.objective(s)["rate"].item()
    terms = model.objective(s)
    torch.testing.assert_close(terms["loss"], terms["distortion"])


def test_beta_tcvae_at_1_is_the_vae_with_a_sampled_kl(parts, images):
    model = BetaTCVAE(beta=1.0, alpha=1.0, gamma=1.0, estimator="weighted", **parts)
    model.regularizer.dataset_size = 100
    s = model(images)
    terms = model.objective(s)
    sampled = (s.qz.log_prob(s.z) - s.pz.log_prob(s.z)).mean()
    torch.testing.assert_close(terms["loss"], terms["distortion"] + sampled)


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


def test_mistakes_are_told(parts, images):
    with pytest.raises(UserError, match=r"takes images of shape \(B, 1, 8, 8\), not \(7, 1, 4, 16\)"):
        VAE(**parts)(images.view(7, 1, 4, 16))
    with pytest.raises(UserError, match="needs labels, and this data has none"):
        VAE(**{**parts, "conditional": True, "num_classes": None})
    with pytest.raises(UserError, match="give it y as well, the labels"):
        VAE(**{**parts, "conditional": True})(images)
    with pytest.raises(UserError, match=r"DIPVAE is for the prior N\(0, I\): type model/prior=standard_normal"):
        VARIANTS["dip_vae"](**parts, prior=partial(VampPrior, num_components=2))
    with pytest.raises(UserError, match="vamp needs a Gaussian posterior"):
        AE(**parts, prior=partial(VampPrior, num_components=2))
    layers = {"channels": [4, 4], "kernels": [4, 4], "hidden_dims": [], "activation": "ReLU", "batch_norm": True}
    with pytest.raises(UserError, match="vamp needs a network without batch norm"):
        VAE(**{**parts, "network": Conv(**layers), "prior": partial(VampPrior, num_components=2)})
    with pytest.raises(UserError, match=r"weights 1 - alpha of KL .* must not be below 0"):
        InfoVAE(alpha=2.0, lambda_mmd=1.0, kernel="rbf", **parts)
    with pytest.raises(UserError, match="no weight may be below 0"):
        BetaTCVAE(beta=1.0, alpha=-1.0, gamma=1.0, estimator="weighted", **parts)


def test_a_prior_by_class_is_sampled_by_class(parts):
    model = VAE(**{**parts, "conditional": True, "prior": ClassConditional})
    with torch.no_grad():
        model.prior.mu.weight[:, 3] = 100.0
    z = model.sample_prior(2, torch.tensor([3, 4]))
    assert (z[0] > 90).all()
    assert (z[1] < 10).all()


def test_init_std_draws_all_weights_and_biases_anew(parts):
    model = VAE(**parts, init_std=0.01)
    weights = torch.cat([p.flatten() for p in model.parameters()])
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert all(p.abs().sum() > 0 for p in model.parameters())
    norms = ResNet(channels=[8, 8], blocks=1, attention=False)
    gains = [
        m.weight for m in VAE(**{**parts, "network": norms}, init_std=0.01).modules() if isinstance(m, nn.GroupNorm)
    ]
    assert all((gain == 1).all() for gain in gains)


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_half_precision_every_term_is_single(variant, parts, images):
    model = VARIANTS[variant](**parts)
    model.regularizer.dataset_size = 100
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.objective(model(images))
    assert {name: term.dtype for name, term in terms.items()} == dict.fromkeys(terms, torch.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_double_precision_the_loss_is_double(variant, parts, images):
    model = VARIANTS[variant](**{**parts, "conditional": variant not in NOT_CONDITIONAL}).double()
    model.regularizer.dataset_size = 100
    assert model.objective(model(images, Y))["loss"].dtype == torch.float64


def test_any_lightning_data_will_do(parts):
    """Where nothing asks for the number of training images."""
    data = torch.utils.data.TensorDataset(torch.rand(20, 1, 8, 8), torch.zeros(20, dtype=torch.int64))
    quiet_lightning()
    trainer = L.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, barebones=False,
                        enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on the workers of a DataLoader
        trainer.fit(VAE(**parts), torch.utils.data.DataLoader(data, batch_size=5))
    assert trainer.callback_metrics["train/nelbo"].isfinite()
