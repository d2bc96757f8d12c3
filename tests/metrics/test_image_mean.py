"""Means over images and their standard errors."""

import math

import pytest
import torch

from vae_lightning.metrics import ImageMean, mean_and_error


def test_image_mean_over_batches_equals_the_mean_over_all_images():
    values = torch.randn(100, generator=torch.Generator().manual_seed(0)) + 1e4
    metric = ImageMean()
    for batch in values.split(30):
        metric.update(batch)
    mean, error = metric.compute()
    assert mean == pytest.approx(values.double().mean().item())
    assert error == pytest.approx(values.double().std().item() / 10)
    assert (mean, error) == mean_and_error(values)
    assert math.isnan(mean_and_error(torch.ones(1)).error)
