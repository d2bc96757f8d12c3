"""Tests of skipping steps with large gradients."""

import math
from types import SimpleNamespace

import pytest
import torch

from vae_lightning.callbacks import GradientSkip
from vae_lightning.models import VAE
from vae_lightning.training.train import train

DEEP = ["callbacks=deep", "~callbacks.figures", "~callbacks.projector"]


def test_only_steps_above_the_threshold_are_skipped(parts):
    """Images have 64 values, so the threshold of 2 is a norm of 128. A skipped step leaves the moments as they are."""
    model, skip = VAE(**parts), GradientSkip(max_norm=2.0)
    weight = next(model.parameters())
    optimizer = torch.optim.Adam([weight])
    for norm, skipped in ((127.0, 0), (129.0, 1), (1e30, 2), (math.nan, 3), (1.0, 3)):
        before = weight.detach().clone()
        weight.grad = torch.full_like(weight, norm / weight.numel() ** 0.5)
        skip.on_before_optimizer_step(SimpleNamespace(), model, optimizer)
        optimizer.step()
        assert skip.skipped == skipped
        assert torch.equal(before, weight) == (not norm <= 128)
    assert optimizer.state[weight]["step"] == 2


@pytest.mark.parametrize(("max_norm", "skipped"), [(1e-6, 5), (1e6, 0)])
def test_number_of_skipped_steps_is_logged_per_epoch(max_norm, skipped, small):
    metrics = train(small(*DEEP, f"callbacks.gradient_skip.max_norm={max_norm}"))
    assert metrics["train/skipped_steps"] == skipped  # 1,257 training images in batches of 256


def test_count_of_an_unfinished_epoch_is_saved():
    skip, resumed = GradientSkip(), GradientSkip()
    skip.skipped = 3
    resumed.load_state_dict(skip.state_dict())
    assert resumed.skipped == 3
