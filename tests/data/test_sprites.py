"""Tests of the drawn sprites."""

import numpy as np
import pytest
import torch

from vae_lightning.data import SpritesDataModule
from vae_lightning.data.sprites import FACTORS, draw_sprites, rasterize
from vae_lightning.errors import UserError


def sprites(**options) -> SpritesDataModule:
    """Return a data module of 720 images."""
    defaults = {"image_shape": [1, 32, 32], "factor_sizes": [3, 2, 4, 5, 6], "val_size": 20, "test_size": 50}
    return SpritesDataModule(**{**defaults, **options})


def test_sprites_contain_every_combination_of_factors_once():
    data = sprites()
    data.setup()
    y = torch.cat([split.y for split in data.splits.values()])
    assert len(y) == 3 * 2 * 4 * 5 * 6 == len(y.unique(dim=0))
    assert (y.amax(0) + 1).tolist() == [3, 2, 4, 5, 6]
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 650, "val": 20, "test": 50}
    assert all(set(split.x.unique().tolist()) == {0, 255} for split in data.splits.values())
    assert data.label_names == ["shape", "scale", "orientation", "x", "y"]


def test_draw_sprites_each_factor_changes_its_property():
    images, factors = draw_sprites([3, 2, 4, 5, 6], (32, 32))
    mass = (images > 0).float()
    area = mass.sum((1, 2))
    center_x = (mass.sum(1) * torch.arange(32)).sum(1) / area
    center_y = (mass.sum(2) * torch.arange(32)).sum(1) / area

    def where(**fixed):
        """Return which images have the given values of factors."""
        keep = torch.ones(len(factors), dtype=torch.bool)
        for name, value in fixed.items():
            keep &= factors[:, FACTORS.index(name)] == value
        return keep

    for s in range(3):
        small, large = (area[where(shape=s, scale=k)].mean() for k in (0, 1))
        assert large / small == pytest.approx(4, rel=0.25)
        xs = [center_x[where(shape=s, scale=1, orientation=0, y=2, x=i)].item() for i in range(5)]
        ys = [center_y[where(shape=s, scale=1, orientation=0, x=2, y=j)].item() for j in range(6)]
        assert np.diff(xs) == pytest.approx([4] * 4)  # 16 pixels in 4 steps
        assert ys == sorted(ys)
        assert center_x[where(shape=s, scale=1, orientation=0, x=2)].std() < 1e-4  # y does not change x


def test_rasterize_shapes_have_their_symmetries_and_areas():
    window = (64, 64)
    square, turned = (rasterize("square", 1.0, angle, window) for angle in (0.0, np.pi / 2))
    assert np.array_equal(square, turned)
    ellipse, half, quarter = (rasterize("ellipse", 1.0, angle, window) for angle in (0.0, np.pi, np.pi / 2))
    assert np.array_equal(ellipse, half)
    assert np.array_equal(ellipse, quarter.T)
    heart = rasterize("heart", 1.0, 0.0, window)
    assert np.array_equal(heart, heart[:, ::-1])
    assert not np.array_equal(heart, rasterize("heart", 1.0, np.pi, window))
    assert square.sum() / 64**2 == pytest.approx((1.4 / 2) ** 2, rel=0.05)
    assert ellipse.sum() / 64**2 == pytest.approx(np.pi / 2 / 4, rel=0.02)
    for shape in ("square", "ellipse", "heart"):  # no rotation is clipped by the window
        for angle in np.linspace(0, 2 * np.pi, 9):
            area = rasterize(shape, 1.0, angle, (66, 66)).sum()
            assert int(area) == pytest.approx(int(rasterize(shape, 1.0, 0.0, (66, 66)).sum()), rel=0.03)


def test_sprites_on_the_grid_of_dsprites_have_its_size():
    with pytest.raises(UserError, match=r"737,280 images are too few"):
        sprites(factor_sizes=[3, 6, 40, 32, 32], image_shape=[1, 16, 16], test_size=10**6).setup()


def test_sprites_reject_invalid_factors_and_small_images():
    with pytest.raises(UserError, match=r"data.factor_sizes=\[4, 1, 1, 1, 1\]: must be \[shapes, scales"):
        sprites(factor_sizes=[4, 1, 1, 1, 1])
    with pytest.raises(UserError, match="sprites require at least 16 x 16 pixels"):
        sprites(image_shape=[1, 8, 8])
