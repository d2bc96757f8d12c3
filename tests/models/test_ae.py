"""Tests of the autoencoder."""

from functools import partial

import pytest
import torch

from vae_lightning.distributions import VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import AE
from vae_lightning.networks import MLP


def test_forward_pass_is_deterministic(parts, images):
    model = AE(**parts)
    first, second = model(images), model(images)
    assert torch.equal(first.px.mean, second.px.mean)
    assert torch.equal(first.z, first.qz.mean)


def test_matches_kingma_welling_replication(parts):
    """Appendix A.2: 787,786 parameters with 500 hidden units and 2 latents, and a code in [-1, 1]."""
    sizes = {"image_shape": (1, 28, 28), "latent_dim": 2, "network": MLP()}
    model = AE(**{**parts, **sizes}, code_activation="Tanh")
    assert sum(p.numel() for p in model.parameters()) == 787_786
    assert model.encode(torch.ones(1, 1, 28, 28)).mean.abs().max() <= 1
    assert model.posterior(1e3 * torch.randn(7, 500)).mean.abs().max() <= 1


def test_codes_are_not_bounded_by_default(parts):
    model = AE(**parts)
    assert model.posterior(1e3 * torch.randn(7, 16)).mean.abs().max() > 1


def test_unknown_activation_of_the_code_is_rejected(parts):
    with pytest.raises(
        UserError, match=r"^model\.code_activation=ReLU: not a valid choice\. Choose one of Identity, T"
    ):
        AE(**parts, code_activation="ReLU")


def test_vamp_prior_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model/prior=vamp: requires a Gaussian posterior\. Leave out model/prior\.$"):
        AE(**parts, prior=partial(VampPrior, num_components=2))
