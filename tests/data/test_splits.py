"""Division of images into training, validation and test images."""

import pytest
import torch

from vae_lightning.data import Batch, stratified_split
from vae_lightning.data.splits import hold_out
from vae_lightning.errors import UserError


def test_stratified_split_rejects_a_split_smaller_than_the_number_of_classes():
    y = torch.arange(20) % 10
    with pytest.raises(UserError, match="cannot hold out 5 of 20 images of 10 classes"):
        stratified_split(Batch(torch.zeros(20, 1, 1, 1, dtype=torch.uint8), y), 5, seed=0)


def test_hold_out_splits_off_parts_one_after_the_other():
    parts = hold_out("abcdefghij", {"test": 0.4, "val": 0.5}, seed=0)
    assert {name: len(items) for name, items in parts.items()} == {"train": 3, "test": 4, "val": 3}
    assert sorted(item for items in parts.values() for item in items) == [*"abcdefghij"]
    assert hold_out("abc", {}, seed=0) == {"train": [*"abc"]}
