"""Tests of the distance in the features of a fixed network."""

import pytest
import torch
import torch.nn.functional as F

from vae_lightning.models.perceptual import PerceptualDistance


def test_perceptual_distance_is_that_of_normalized_features():
    """Zhang et al. 2018, Eq. 1, position by position in float64."""
    torch.manual_seed(0)
    distance = PerceptualDistance(2).double()
    x, y = torch.rand(2, 3, 2, 5, 7, dtype=torch.float64)
    expected = torch.zeros(3, dtype=torch.float64)
    maps = [2 * x - 1, 2 * y - 1]
    for stride, weight in zip((1, 2, 2), distance.buffers(), strict=True):
        maps = [F.conv2d(m, weight, stride=stride, padding=1).clamp_min(0) for m in maps]
        height, width = maps[0].shape[2:]
        for h in range(height):
            for w in range(width):
                a, b = (m[:, :, h, w] / m[:, :, h, w].norm(dim=1, keepdim=True) for m in maps)
                expected += (2 - 2 * (a * b).sum(1)) / (height * width)
    torch.testing.assert_close(distance(x, y), expected)
    torch.testing.assert_close(distance(y, x), expected)
    assert torch.equal(distance(x, x), torch.zeros_like(expected))


def test_perceptual_distance_of_black_and_white_at_one_pixel_is_2_in_the_first_layer(monkeypatch):
    """The features max(0, w) and max(0, -w) are orthogonal."""
    monkeypatch.setattr("vae_lightning.models.perceptual.FEATURE_CHANNELS", (32,))
    distance = PerceptualDistance(1)
    assert distance(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)).item() == pytest.approx(2)


def test_random_features_are_the_same_in_every_run_and_not_trained():
    before = torch.get_rng_state()
    first, second = PerceptualDistance(3), PerceptualDistance(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.buffers(), second.buffers(), strict=True))
    assert not list(first.parameters())
    assert len(first.state_dict()) == 3
