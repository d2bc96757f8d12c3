"""Tests of the VAE with clusters."""

from functools import partial

import lightning as L
import pytest
import torch
from small_training import digits, quiet_trainer

from vae_lightning.callbacks import GradientSkip
from vae_lightning.errors import UserError
from vae_lightning.models import VAE, VaDE
from vae_lightning.priors import MixturePrior


def test_model_is_a_vae_until_the_clusters_are_fitted(parts, images):
    model, vae = VaDE(**parts, pretrain_epochs=1), VAE(**parts)
    vae.load_state_dict(model.state_dict(), strict=False)
    losses = []
    for m in (model, vae):
        torch.manual_seed(0)
        losses.append(m.objective(m(images))["loss"])
    torch.testing.assert_close(*losses)
    assert model.cluster(images).std() < 1e-6


@pytest.mark.filterwarnings("ignore:`isinstance")
def test_clusters_are_fitted_after_the_first_epochs_and_learned_from_then_on(parts, caplog):
    """After two epochs of pretraining nothing has changed; one step later they are near the EM solution."""
    L.seed_everything(0, verbose=False)
    model, data = VaDE(**parts, pretrain_epochs=2), digits()
    initial = {name: value.clone() for name, value in model.prior.state_dict().items()}
    quiet_trainer(max_epochs=2).fit(model, datamodule=data)
    assert all(torch.equal(value, initial[name]) for name, value in model.prior.state_dict().items())
    assert "trainer.max_epochs=2 ends the training before the clusters are fitted" in caplog.text

    L.seed_everything(0, verbose=False)
    model = VaDE(**parts, pretrain_epochs=2)
    caplog.clear()
    quiet_trainer(max_steps=11).fit(model, datamodule=data)  # 5 steps per epoch
    assert "pretrain_epochs" not in caplog.text
    z = model.encode(data.splits["train"].x).rsample().detach()
    fitted = MixturePrior(latent_dim=3, num_components=10, covariance="diagonal")
    fitted.initialize_from_latents(z)
    scores = [prior(None, None).log_prob(z).mean().item() for prior in (model.prior, fitted)]
    assert scores[0] == pytest.approx(scores[1], abs=0.3)
    assert len(model.prior.mu.unique(dim=0)) == 10


def test_steps_can_be_skipped_before_the_clusters_are_fitted(parts):
    model = VaDE(**parts, pretrain_epochs=2)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    quiet_trainer(max_steps=2, callbacks=[GradientSkip(max_norm=0.0)]).fit(model, datamodule=digits())
    assert all(torch.equal(value, initial[name]) for name, value in model.state_dict().items())


def test_first_steps_of_the_mixture_are_those_of_a_new_optimizer(parts):
    model = VaDE(**parts, pretrain_epochs=1)
    trainer = quiet_trainer(max_steps=7)
    trainer.fit(model, datamodule=digits())  # 5 steps per epoch
    state = trainer.optimizers[0].state
    assert state[model.prior.mu]["step"] == 2
    assert state[model.posterior.mu.weight]["step"] == 7


def test_pretrain_epochs_0_starts_from_a_random_mixture(parts):
    assert VaDE(**parts, pretrain_epochs=0).prior.mu.std() > 0.5


def test_prior_that_is_not_a_mixture_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model/prior: VaDE requires a mixture\. Set model/prior=gaussian_mixture\.$"):
        partial(VaDE, **parts)(prior=VAE(**parts).prior.__class__)


def test_start_initializes_the_prior_as_for_other_models(parts, monkeypatch):
    monkeypatch.setattr("vae_lightning.models.base.ELBOModule.on_fit_start", lambda model: setattr(model, "ran", True))
    model = VaDE(**parts)
    quiet_trainer(max_steps=1).fit(model, datamodule=digits())
    assert model.ran
