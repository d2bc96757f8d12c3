"""Tests of the FactorVAE."""

import pytest
import torch
from adversarial_models import ADAM, MODELS
from small_training import digits, quiet_trainer

from vae_lightning.errors import UserError
from vae_lightning.models import VAE, FactorVAE


def test_discriminator_loss_gives_the_encoder_no_gradient(parts, images):
    model = MODELS["factor_vae"](**parts)
    data = digits()
    data.setup()
    model.trainer = quiet_trainer(max_steps=1)
    model.trainer.datamodule = data
    model.discriminator_loss(model(images)).backward()
    assert all(p.grad is None for name, p in model.named_parameters() if "discriminator" not in name)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")  # of Lightning, about the loader
def test_data_loader_instead_of_a_data_module_is_rejected(parts, images):
    loader = torch.utils.data.DataLoader([(x, 0) for x in images], batch_size=2)
    with pytest.raises(UserError, match=r"^FactorVAE: also learns from images outside of the batch, .* Pass data"):
        quiet_trainer(max_steps=1).fit(MODELS["factor_vae"](**parts), loader)


def test_gamma_0_gives_the_vae(parts, images):
    model = FactorVAE(gamma=0.0, discriminator_dims=[16], discriminator_optimizer=ADAM, **parts)
    vae = VAE(**parts)
    vae.load_state_dict({k: v for k, v in model.state_dict().items() if "discriminator" not in k})
    losses = []
    for either in (model, vae):
        torch.manual_seed(1)
        losses.append(either.objective(either(images))["loss"])
    assert torch.equal(*losses)


def test_discriminator_compares_draws_with_permuted_ones(parts, monkeypatch):
    """The second images are given, and their posteriors nearly have no variance."""
    model, x, seen = MODELS["factor_vae"](**parts), torch.rand(20, 1, 8, 8), []
    torch.nn.init.zeros_(model.posterior.logvar.weight)
    torch.nn.init.constant_(model.posterior.logvar.bias, -30)
    data = digits()
    monkeypatch.setattr(data, "random_batch", lambda n, device: (x, None))
    model.trainer = quiet_trainer(max_steps=1)
    model.trainer.datamodule = data
    monkeypatch.setattr(model.discriminator, "loss", lambda z, permuted: seen.append(permuted))
    model.discriminator_loss(model(x))
    (permuted,), z = seen, model.encode(x).mu.detach()
    torch.testing.assert_close(permuted.sort(0).values, z.sort(0).values, atol=1e-5, rtol=0)
    assert (torch.cdist(permuted, z).min(1).values > 1e-4).sum() > 10
