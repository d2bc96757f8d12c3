"""Two losses, two optimisers, and nothing of one in the other."""

from functools import partial

import lightning as L
import pytest
import torch

from vae_lightning.data import DigitsDataModule
from vae_lightning.distributions import VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import VAE, VAEGAN, FactorVAE
from vae_lightning.models.vae_gan import scale_gradient
from vae_lightning.training.messages import quiet_lightning

ADAM = partial(torch.optim.Adam, lr=1e-3)
MODELS = {
    "factor_vae": partial(FactorVAE, gamma=5.0, discriminator_dims=[16, 16], discriminator_optimizer=ADAM),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=ADAM),
}


def digits() -> DigitsDataModule:
    return DigitsDataModule(
        image_shape=(1, 8, 8), num_classes=10, val_size=180, test_size=360, split_seed=0, batch_size=256,
        eval_batch_size=500, seed=0, binarize="none", validation_split="val", device_resident="auto",
    )  # fmt: skip


def trainer(**options) -> L.Trainer:
    quiet_lightning()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0}
    return L.Trainer(accelerator="cpu", enable_model_summary=False, **quiet, **options)


@pytest.mark.parametrize("variant", MODELS)
def test_the_optimisers_share_nothing_and_hold_everything(variant, parts):
    model = MODELS[variant](**parts)
    autoencoder, discriminator = (
        {p for group in optimizer.param_groups for p in group["params"]} for optimizer in model.configure_optimizers()
    )
    assert discriminator == set(model.discriminator.parameters())
    assert not autoencoder & discriminator
    assert autoencoder | discriminator == set(model.parameters())


@pytest.mark.parametrize("variant", MODELS)
def test_each_step_moves_its_own_weights_alone(variant, parts, monkeypatch):
    model = MODELS[variant](**parts)
    moved: list[set[str]] = []
    descend = model.step_optimizer

    def watched(optimizer, loss):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        descend(optimizer, loss)
        moved.append({name for name, p in model.named_parameters() if not torch.equal(p, before[name])})

    monkeypatch.setattr(model, "step_optimizer", watched)
    trainer(max_steps=4).fit(model, datamodule=digits())
    of_discriminator = {name for name, _ in model.named_parameters() if "discriminator" in name}
    everything_else = {name for name, _ in model.named_parameters()} - of_discriminator
    assert moved[0::2] == [everything_else] * 2
    assert all(step == of_discriminator for step in moved[1::2])
    assert all(p.requires_grad for p in model.parameters())


def test_the_discriminator_of_factor_vae_leaves_no_gradient_in_the_encoder(parts, images):
    model = MODELS["factor_vae"](**parts)
    data = digits()
    data.setup()
    model.trainer = trainer(max_steps=1)
    model.trainer.datamodule = data
    model.discriminator_loss(model(images)).backward()
    assert all(p.grad is None for name, p in model.named_parameters() if "discriminator" not in name)


def test_factor_vae_with_gamma_0_is_the_vae(parts, images):
    model = FactorVAE(gamma=0.0, discriminator_dims=[16], discriminator_optimizer=ADAM, **parts)
    vae = VAE(**parts)
    vae.load_state_dict({k: v for k, v in model.state_dict().items() if "discriminator" not in k})
    losses = []
    for either in (model, vae):
        torch.manual_seed(1)
        losses.append(either.objective(either(images))["loss"])
    assert torch.equal(*losses)


def gradients(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)


def test_encoder_and_decoder_of_vae_gan_get_gradients_of_their_own(parts, images):
    """Larsen et al. 2016, Algorithm 1: the encoder that of KL + L, the decoder that of γ L and the generator's loss."""
    model = MODELS["vae_gan"](**parts)
    torch.manual_seed(1)
    loss = model.objective(model(images))["loss"]

    plain = MODELS["vae_gan"](**parts)
    plain.load_state_dict(model.state_dict())
    torch.manual_seed(1)
    x = plain.as_images(images)
    qz = plain.encode(x)
    z = qz.rsample()
    real, fake = (plain.discriminator(images)[0] for images in (x, plain.decode(z).mean))
    features = 0.5 * (real - fake).square().sum(1).mean()
    rate = 0.5 * (qz.mu.square() + qz.logvar.exp() - qz.logvar - 1).sum(1).mean()
    noise = torch.randn(7, 3)
    logits = plain.discriminator(plain.decode(torch.cat([z.detach(), noise])).mean)[1]
    generator = -torch.nn.functional.logsigmoid(logits).sum() / 7
    for mine, own in zip(gradients(loss, model.encoder), gradients(rate + features, plain.encoder), strict=True):
        torch.testing.assert_close(mine, own)
    expected = gradients(0.5 * features + generator, plain.decoder)
    for mine, own in zip(gradients(loss, model.decoder), expected, strict=True):
        torch.testing.assert_close(mine, own)


def test_the_generator_s_loss_reaches_neither_encoder_nor_prior(parts, images):
    prior = partial(VampPrior, num_components=3)
    model = VAEGAN(gamma=0.5, discriminator_optimizer=ADAM, prior=prior, **parts)
    model.objective(model(images))["generator_loss"].backward()
    parts_of = [*model.encoder.parameters(), *model.posterior.parameters(), *model.prior.parameters()]
    assert all(p.grad is None or not p.grad.any() for p in parts_of)
    assert any(p.grad is not None for p in model.decoder.parameters())


def test_scaling_the_gradient_leaves_the_value():
    x = torch.randn(5, requires_grad=True)
    y = scale_gradient(x, 0.1)
    assert torch.equal(y, x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, 0.1))


def test_a_decoder_without_features_is_refused(parts):
    with pytest.raises(UserError, match=r"model.gamma=0.0: .* must be above 0"):
        VAEGAN(gamma=0.0, discriminator_optimizer=ADAM, **parts)
