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
