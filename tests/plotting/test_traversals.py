"""Latent traversals, compared with hand-computed values."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning import plotting
from vae_lightning.plotting.traversals import ranges, row_names, traverse


def test_ranges_are_two_standard_deviations_of_the_aggregate_posterior():
    """For means 0 and 2 with σ² = 3, the mean is 1 and the variance is 1 + 3."""
    mu, logvar = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [3.0]]).log()
    assert ranges(mu, logvar)[0].tolist() == pytest.approx([-3, 5])
    assert ranges(mu, None)[0].tolist() == pytest.approx([-1, 3])


def test_range_of_a_collapsed_latent_is_that_of_the_prior():
    assert ranges(torch.zeros(5, 1), torch.zeros(5, 1))[0].tolist() == [-2, 2]


def test_traverse_changes_one_latent_per_row_between_its_ends():
    z = torch.tensor([10.0, 20.0, 30.0])
    rows = traverse(z, torch.tensor([2, 0]), torch.tensor([[-1.0, 1.0], [-2.0, 4.0]]), 4)
    assert rows[0, :, 2].tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert rows[1, :, 0].tolist() == pytest.approx([-2, 0, 2, 4], abs=1e-6)
    assert (rows[0, :, :2] == z[:2]).all()
    assert (rows[1, :, 1:] == z[1:]).all()
    assert z.tolist() == [10, 20, 30]


def test_row_names_contain_latent_rate_and_range():
    latents, ends = torch.tensor([4, 0]), torch.tensor([[-2.04, 1.0], [0.0, 0.04]])
    assert row_names(latents, ends, torch.tensor([1.234, 0.0])) == [
        "z₄  1.23 nats  [\N{MINUS SIGN}2.0, 1.0]",
        "z₀  0.00 nats  [0.0, 0.0]",
    ]
    assert row_names(latents[:1], ends[:1], None) == ["z₄  [\N{MINUS SIGN}2.0, 1.0]"]


def test_animation_plays_its_frames_forward_and_backward():
    frames = torch.linspace(0, 1, 4).view(4, 1, 1, 1, 1, 1).expand(4, 1, 2, 1, 8, 8)
    gif = Image.open(BytesIO(plotting.animation(frames, "title", column_labels=["a", "b"])))
    assert gif.n_frames == 6
    assert gif.info["loop"] == 0
    values = []
    for frame in range(gif.n_frames):
        gif.seek(frame)
        gray = np.asarray(gif.convert("L"))
        values.append(gray[gray.shape[0] * 3 // 4, gray.shape[1] // 2 - 30] / 255)
    assert values == pytest.approx([0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], abs=0.02)
