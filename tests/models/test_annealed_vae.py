"""Tests of the VAE with controlled capacity."""

import torch

from vae_lightning.models import AnnealedVAE


def test_penalty_is_zero_if_the_capacity_equals_the_rate(parts, images):
    model = AnnealedVAE(gamma=1000.0, capacity=0.0, **parts)
    out = model(images)
    model.regularizer.capacity = model.objective(out)["rate"].item()
    terms = model.objective(out)
    torch.testing.assert_close(terms["loss"], terms["distortion"])


def test_objective_of_an_epoch_depends_on_its_mean_rate(parts):
    """The mean over batches of |rate - C| would be 2."""
    means = {"distortion": torch.tensor(7.0), "rate": torch.tensor(5.0), "objective": torch.tensor(27.0)}
    assert AnnealedVAE(gamma=10.0, capacity=5.0, **parts).epoch_objective(means) == 7
