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


@pytest.mark.parametrize(
    ("n", "fractions", "message"),
    [
        (
            5,
            {"test": 0.1, "val": 0.05},
            "data.test_fraction=0.1: of 5 images, none would be left for testing. Set 0.2 or",
        ),
        (5, {"test": 0.95}, "data.test_fraction=0.95: of 5 images, none would be left for training. Set a smaller one"),
        (5, {"test": 0.2, "val": 0.9}, "data.val_fraction=0.9: of 4 images, none would be left for training. Set a sm"),
        (5, {"test": 0.2, "val": 1}, "data.val_fraction=1: must be a number >= 0 and < 1"),
    ],
)
def test_hold_out_names_the_part_that_is_empty(n, fractions, message):
    with pytest.raises(UserError, match=f"^{message}"):
        hold_out(range(n), fractions, seed=0)


@pytest.mark.parametrize("n", range(2, 12))
def test_hold_out_suggests_a_fraction_that_works(n):
    with pytest.raises(UserError) as error:
        hold_out(range(n), {"test": 0.01}, seed=0)
    fraction = float(str(error.value).split()[11])
    assert len(hold_out(range(n), {"test": fraction}, seed=0)["test"]) == 1
