"""Tests that hold for every model: shapes, gradients, precision, labels and errors."""

from functools import partial
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.trainer.states import TrainerStatus
from torch import nn

from vae_lightning.distributions import Autoregressive, Bernoulli, ClassConditional, VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import (
    AAE,
    AE,
    CIWAE,
    DFCVAE,
    DIPVAE,
    FSQVAE,
    GECOVAE,
    HIWAE,
    HVAE,
    IWAE,
    LFQVAE,
    MIWAE,
    PIWAE,
    RAE,
    RVQVAE,
    SWAE,
    TVAE,
    VAE,
    VAEGAN,
    VDVAE,
    VQVAE,
    WAE,
    AdaGVAE,
    AdaMLVAE,
    AnnealedVAE,
    AutoencoderKL,
    BetaTCVAE,
    BetaVAE,
    FactorVAE,
    FreeBitsVAE,
    HamiltonianVAE,
    InfoVAE,
    JointVAE,
    RiemannianHamiltonianVAE,
    S2BetaTCVAE,
    S2BetaVAE,
    VaDE,
)
from vae_lightning.networks import Conv, Ladder, ResNet
from vae_lightning.posteriors import (
    FullCovariance,
    Gamma,
    GumbelSoftmax,
    InverseAutoregressiveFlow,
    PlanarFlow,
    PoincareBall,
    VonMisesFisher,
)
from vae_lightning.priors import GammaPrior, UniformCategories, UniformSphere, WrappedNormalPrior

ADAM = partial(torch.optim.Adam, lr=1e-3)


def small_vdvae(**parts: Any) -> VDVAE:
    """Return a VDVAE with a network of its own instead of that of the parts."""
    return VDVAE(**{**parts, "network": Ladder(channels=[4, 8], groups=[1, 1])})


def small_pixel_vae(**parts: Any) -> VAE:
    """Return a VAE with an autoregressive likelihood instead of that of the parts."""
    pixels = Autoregressive(image_shape=parts["image_shape"], pixels=Bernoulli(), width=4, layers=1)
    return VAE(**{**parts, "likelihood": pixels})


MODELS = {
    "ae": AE,
    "vae": VAE,
    "beta_vae": partial(BetaVAE, beta=4.0),
    "annealed_vae": partial(AnnealedVAE, gamma=10.0, capacity=5.0),
    "free_bits_vae": partial(FreeBitsVAE, free_bits=0.01),
    "tvae": partial(TVAE, beta=2.0, triplet_weight=3.0),
    "geco_vae": partial(GECOVAE, tolerance=40.0),
    "beta_tcvae": partial(BetaTCVAE, beta=4.0, alpha=1.0, gamma=1.0, estimator="stratified"),
    "factor_vae": partial(FactorVAE, gamma=4.0, discriminator_dims=[16], discriminator_optimizer=ADAM),
    "dip_vae": partial(DIPVAE, variant="ii", lambda_od=1.0, lambda_d=1.0),
    "info_vae": partial(InfoVAE, alpha=0.5, lambda_mmd=10.0, kernel="rbf"),
    "wae": partial(WAE, lambda_mmd=10.0, kernel="imq"),
    "swae": SWAE,
    "dfc_vae": DFCVAE,
    "aae": partial(AAE, discriminator_dims=[16]),
    "rae": RAE,
    "rae-l2": partial(RAE, variant="l2"),
    "iwae": partial(IWAE, num_samples=3),
    "miwae": partial(MIWAE, num_bounds=2, num_samples=3),
    "piwae": partial(PIWAE, num_bounds=2, num_samples=3, gradient="stl"),
    "ciwae": partial(CIWAE, num_samples=3, gradient="dreg"),
    "ada_gvae": partial(AdaGVAE, beta=2.0),
    "ada_ml_vae": partial(AdaMLVAE, beta=2.0),
    "s2_beta_vae": partial(S2BetaVAE, beta=2.0),
    "s2_beta_tcvae": partial(S2BetaTCVAE, beta=2.0),
    "vade": partial(VaDE, pretrain_epochs=0),
    "vamp_vae": partial(VAE, prior=partial(VampPrior, num_components=4)),
    "full_covariance": partial(VAE, posterior=FullCovariance),
    "planar_vae": partial(VAE, posterior=PlanarFlow),
    "vmf_vae": partial(VAE, posterior=VonMisesFisher, prior=UniformSphere),
    "poincare_vae": partial(VAE, posterior=PoincareBall, prior=WrappedNormalPrior),
    "gamma_vae": partial(VAE, posterior=Gamma, prior=GammaPrior),
    "iaf_vae": partial(IWAE, num_samples=3, posterior=partial(InverseAutoregressiveFlow, hidden_dims=[8])),
    "gumbel_softmax": partial(
        BetaVAE, beta=2.0, posterior=partial(GumbelSoftmax, categories=[3]), prior=UniformCategories
    ),
    "hamiltonian_vae": partial(HamiltonianVAE, leapfrog_steps=2),
    "riemannian_hamiltonian_vae": partial(RiemannianHamiltonianVAE, leapfrog_steps=2, num_centroids=5),
    "joint_vae": partial(JointVAE, categories=[2]),
    "hvae": partial(HVAE, num_groups=2, hidden_dims=[8]),
    "hvae_vamp": partial(HVAE, num_groups=2, hidden_dims=[8], prior=partial(VampPrior, num_components=4)),
    "vdvae": small_vdvae,
    "pixel_vae": small_pixel_vae,
    "hiwae": partial(HIWAE, num_samples=3, upper_dims=[2], hidden_dims=[8]),
    "vq_vae": partial(VQVAE, beta=0.25, code_dim=1, codebook_size=4, ema=False, decay=0.9),
    "fsq_vae": partial(FSQVAE, levels=[5]),
    "lfq_vae": partial(LFQVAE, code_dim=1),
    "rvq_vae": partial(RVQVAE, code_dim=1, codebook_size=4, depth=2),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=ADAM),
    "autoencoder_kl": partial(AutoencoderKL, discriminator_start=0.0, discriminator_optimizer=ADAM),
}
NOT_CONDITIONAL = ("vamp_vae", "hvae_vamp", "ada_gvae", "ada_ml_vae", "tvae", "s2_beta_vae", "s2_beta_tcvae")
Y = torch.tensor([0, 1, 2, 3, 9, 9, 9])


@pytest.mark.parametrize(
    ("name", "conditional"),
    [(name, c) for name in MODELS for c in (False, True) if not (c and name in NOT_CONDITIONAL)],
)
def test_shapes_are_right_and_every_parameter_gets_a_gradient(name, conditional, parts, images):
    model = MODELS[name](**{**parts, "conditional": conditional})
    model.regularizer.dataset_size = 100
    if name == "fsq_vae":  # initially all codes are rounded to 0, and the decoder's first weights get no gradient
        model.posterior.features.weight.data *= 20
    loss = model.objective(model(images, Y))["loss"]
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert model.reconstruct(images, Y).shape == images.shape
    assert model.sample(3, Y[:3] if conditional else None).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_small_batches_have_finite_losses_and_gradients(name, batch_size, parts, images):
    model = MODELS[name](**parts)
    model.regularizer.dataset_size = 100
    loss = model.objective(model(images[:batch_size]))["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_samples_with_the_same_generator_are_equal(name, parts):
    model = MODELS[name](**parts)
    one, two = (model.sample(2, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


def test_conditional_model_uses_the_label_in_encoder_and_decoder(parts, images):
    model = VAE(**{**parts, "conditional": True})
    z = torch.zeros(7, 3)
    assert not torch.equal(model.encode(images, Y).mu, model.encode(images, Y.flip(0)).mu)
    assert not torch.equal(model.decode(z, Y).mean, model.decode(z, Y.flip(0)).mean)


def test_unconditional_model_ignores_the_label(parts, images):
    model = VAE(**parts)
    assert torch.equal(model.reconstruct(images, Y), model.reconstruct(images))


def test_uint8_and_float_images_give_the_same_result(parts, images):
    model = VAE(**parts)
    assert torch.equal(model.reconstruct(images), model.reconstruct(images.float() / 255))


def test_class_conditional_prior_is_sampled_per_class(parts):
    model = VAE(**{**parts, "conditional": True, "prior": ClassConditional})
    with torch.no_grad():
        model.prior.mu.weight[:, 3] = 100.0
    z = model.sample_prior(2, torch.tensor([3, 4]))
    assert (z[0] > 90).all()
    assert (z[1] < 10).all()


def test_init_std_initializes_all_weights_and_biases(parts):
    model = VAE(**parts, init_std=0.01)
    weights = torch.cat([p.flatten() for p in model.parameters()])
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert all(p.abs().sum() > 0 for p in model.parameters())
    norms = ResNet(channels=[8, 8], blocks=1, attention=False)
    gains = [
        m.weight for m in VAE(**{**parts, "network": norms}, init_std=0.01).modules() if isinstance(m, nn.GroupNorm)
    ]
    assert all((gain == 1).all() for gain in gains)


@pytest.mark.parametrize("name", MODELS)
def test_all_terms_are_float32_under_half_precision(name, parts, images):
    model = MODELS[name](**parts)
    model.regularizer.dataset_size = 100
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.objective(model(images))
    assert {name: term.dtype for name, term in terms.items()} == dict.fromkeys(terms, torch.float32)


@pytest.mark.parametrize("name", MODELS)
def test_loss_is_float64_in_double_precision(name, parts, images):
    model = MODELS[name](**{**parts, "conditional": name not in NOT_CONDITIONAL}).double()
    model.regularizer.dataset_size = 100
    assert model.objective(model(images, Y))["loss"].dtype == torch.float64


@pytest.mark.parametrize("name", MODELS)
def test_wrong_image_shape_is_rejected(name, parts, images):
    with pytest.raises(UserError, match=r"^encode: images must have shape \(B, 1, 8, 8\), got \(7, 1, 4, 16\)\.$"):
        MODELS[name](**parts)(images.view(7, 1, 4, 16))


def test_conditional_model_without_labels_is_rejected(parts, images):
    message = r"^model\.conditional=true: the data has no labels\. Set model\.conditional=false\.$"
    with pytest.raises(UserError, match=message):
        VAE(**{**parts, "conditional": True, "num_classes": None})
    model = VAE(**{**parts, "conditional": True})
    for call in (lambda: model(images), lambda: model.decode(torch.zeros(7, 3)), lambda: model.sample(7)):
        with pytest.raises(UserError, match=r"Pass the labels y, int64 of shape \(B,\)\.$"):
            call()


def test_vamp_prior_with_batch_norm_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model/prior=vamp: requires a network without batch norm\. Set"):
        VAE(**{**parts, "network": Conv(batch_norm=True)}, prior=partial(VampPrior, num_components=2))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("extra", [-1, 4])
def test_decode_rejects_a_wrong_number_of_latents(name, extra, parts):
    model = MODELS[name](**parts)
    d = model.latent_dim
    with pytest.raises(UserError, match=rf"^decode: z must have shape \(B, {d}\), got \(3, {d + extra}\)\.$"):
        model.decode(torch.zeros(3, d + extra))
    with pytest.raises(UserError, match=rf"^decode: z must have shape \(B, {d}\), got \({d},\)\.$"):
        model.decode(torch.zeros(d))
    assert model.decode(torch.zeros(3, d)).mean.shape == (3, 1, 8, 8)


def test_decode_accepts_latents_of_another_type(parts):
    model, z = VAE(**parts).eval(), torch.randn(2, 3)
    assert torch.equal(model.decode(z.double()).mean, model.decode(z).mean)
    with pytest.raises(UserError, match=r"^decode: z must be a tensor, got ndarray\. Pass torch\.as_tensor\(z\)"):
        model.decode(z.numpy())


@pytest.mark.parametrize("name", MODELS)
def test_sample_rejects_labels_if_the_model_is_not_conditional(name, parts):
    with pytest.raises(UserError, match=r"^sample: this model is not conditional\. Leave out y\.$"):
        MODELS[name](**parts).sample(7, Y)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5)])
def test_encode_rejects_floats_outside_0_and_1(name, low, high, parts):
    model = MODELS[name](**parts)
    x = torch.linspace(low, high, 7 * 64).view(7, 1, 8, 8)
    message = rf"^encode: images must lie in \[0, 1\], got values from {low} to {high}\. Scale them, or pass uint8\.$"
    for call in (model, model.encode, model.reconstruct):
        with pytest.raises(UserError, match=message):
            call(x)


def test_encode_rejects_nan(parts):
    with pytest.raises(UserError, match=r"^encode: images must lie in \[0, 1\], got values from nan to nan\."):
        VAE(**parts).encode(torch.full((1, 1, 8, 8), torch.nan))


def test_encode_accepts_0_and_1_and_an_empty_batch(parts):
    model = VAE(**parts)
    assert model.encode(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)).mean.shape == (2, 3)
    assert model.encode(torch.zeros(0, 1, 8, 8)).mean.shape == (0, 3)


def test_values_are_not_read_while_a_trainer_runs(parts, monkeypatch):
    """Reading a value waits for the device. Outside a running Trainer the range is checked, even if one is attached."""
    model = VAE(**parts)
    model.trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    x = torch.full((2, 1, 8, 8), 2.0)
    with pytest.raises(UserError, match="images must lie in"):
        model.encode(x)

    model.trainer.state.status = TrainerStatus.RUNNING
    with pytest.raises(UserError, match="images must lie in"):  # in the first batch
        model.encode(x)
    model.encode(x / 2)
    monkeypatch.setattr(torch.Tensor, "item", lambda _: pytest.fail("a value was read"))
    assert torch.equal(model.as_images(x), x)
    model.objective(model(x))

    model.trainer.state.status = TrainerStatus.FINISHED
    monkeypatch.undo()
    with pytest.raises(UserError, match="images must lie in"):
        model.encode(x)


def test_values_of_uint8_are_never_read(parts, images, monkeypatch):
    model = VAE(**parts)
    monkeypatch.setattr(torch.Tensor, "item", lambda _: pytest.fail("a value was read"))
    model.as_images(images)


def test_default_likelihood_is_not_shared_between_models():
    first, second = (VAE(image_shape=(1, 28, 28)) for _ in range(2))
    assert first.likelihood is not second.likelihood
