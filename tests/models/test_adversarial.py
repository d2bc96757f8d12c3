"""Tests of training against a discriminator."""

import pytest
import torch
from adversarial_models import MODELS
from small_training import digits, quiet_trainer


@pytest.mark.parametrize("name", MODELS)
def test_optimizers_are_disjoint_and_cover_all_parameters(name, parts):
    model = MODELS[name](**parts)
    autoencoder, discriminator = (
        {p for group in optimizer.param_groups for p in group["params"]} for optimizer in model.configure_optimizers()
    )
    assert discriminator == set(model.discriminator_parameters())
    assert discriminator >= set(model.discriminator.parameters())
    assert not autoencoder & discriminator
    assert autoencoder | discriminator == set(model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_each_step_changes_only_its_own_weights(name, parts, monkeypatch):
    model = MODELS[name](**parts)
    changed: list[set[str]] = []
    step_optimizer = model.step_optimizer

    def recording_step(optimizer, loss):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        step_optimizer(optimizer, loss)
        changed.append({name for name, p in model.named_parameters() if not torch.equal(p, before[name])})

    monkeypatch.setattr(model, "step_optimizer", recording_step)
    quiet_trainer(max_steps=4).fit(model, datamodule=digits())
    discriminator = set(model.discriminator_parameters())
    of_discriminator = {name for name, p in model.named_parameters() if p in discriminator}
    everything_else = {name for name, _ in model.named_parameters()} - of_discriminator
    assert changed[0::2] == [everything_else] * 2
    # The hinge loss does not change while all logits in (-1, 1) are shifted.
    shift = {"discriminator.5.bias"} if name == "autoencoder_kl" else set()
    assert all(step == of_discriminator - shift for step in changed[1::2])
    assert all(p.requires_grad for p in model.parameters())
