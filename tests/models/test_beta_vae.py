"""Tests of the β-VAE, and with β = 1 of the VAE."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from vae_lightning.models import VAE, BetaVAE


@pytest.mark.parametrize("warmup", [0.25, 1.0])
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_loss_is_distortion_plus_weighted_kl(beta, warmup, parts, images):
    """vae-cvae-mnist, Eq. 30: summed over pixels and latents, averaged over the batch."""
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


def test_beta_1_equals_the_vae_bit_for_bit(parts, images):
    losses = []
    for model_class in (VAE, partial(BetaVAE, beta=1.0)):
        torch.manual_seed(0)
        model = model_class(**parts)
        losses.append(model.objective(model(images))["loss"])
    assert torch.equal(*losses)
