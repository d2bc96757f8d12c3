"""Tests of the VAE with controlled capacity."""

import torch

from vae_lightning.models import AnnealedVAE


def test_penalty_is_zero_if_the_capacity_equals_the_rate(parts, images):
    model = AnnealedVAE(gamma=1000.0, capacity=0.0, **parts)
    out = model(images)
    model.regularizer.capacity = model.objective(out)["rate"].item()
    terms = model.objective(out)
    torch.testing.assert_close(terms["loss"], terms["distortion"])
