"""Tests of the digits included in scikit-learn."""

import torch
from sklearn.datasets import load_digits

from vae_lightning.data import DigitsDataModule


def digits(**options) -> DigitsDataModule:
    """Return a data module that has loaded its images."""
    data = DigitsDataModule(**options)
    data.setup()
    return data


def test_digits_are_split_with_equal_class_proportions():
    data = digits()
    assert {name: tuple(split.x.shape) for name, split in data.splits.items()} == {
        "train": (1257, 1, 28, 28),
        "val": (180, 1, 28, 28),
        "test": (360, 1, 28, 28),
    }
    total = torch.cat([split.y for split in data.splits.values()]).bincount()
    assert total.tolist() == torch.from_numpy(load_digits().target).bincount().tolist()
    for x, y in data.splits.values():
        assert x.dtype == torch.uint8
        assert y.dtype == torch.int64
        assert (y.bincount() / len(y) - total / 1797).abs().max() < 0.005
        assert x.max() == 255


def test_digits_at_8_by_8_are_the_originals():
    data = digits(image_shape=[1, 8, 8], val_size=0)
    original = torch.from_numpy(load_digits().images) * 255 / 16
    loaded = torch.cat([split.x for split in data.splits.values()])
    assert loaded.shape == (1797, 1, 8, 8)
    assert {tuple(image) for image in loaded.flatten(1).tolist()} == {
        tuple(image) for image in original.round().int().flatten(1).tolist()
    }


def test_digits_in_three_channels_are_gray():
    data = digits(image_shape=[3, 16, 16])
    x = data.splits["train"].x
    assert x.shape == (1257, 3, 16, 16)
    assert torch.equal(x, x[:, :1].expand_as(x))
