"""Labels of some images only."""

import pytest
import torch

from vae_lightning.data import ArrayDataModule, MNISTDataModule, SpritesDataModule
from vae_lightning.data.labels import UNKNOWN, labeled_subset
from vae_lightning.errors import UserError


def test_labeled_per_class_keeps_as_many_labels_of_each_class(digits):
    full, data = digits(), digits(labeled_per_class=7)
    y, true = data.splits["train"].y, full.splits["train"].y
    known = y != UNKNOWN
    assert y[known].bincount().tolist() == [7] * 10
    assert torch.equal(y[known], true[known])
    assert torch.equal(data.labeled, known.nonzero().flatten())
    assert data.has_unknown_labels
    assert not full.has_unknown_labels
    assert len(full.labeled) == len(true)
    for split in ("val", "test"):
        assert torch.equal(data.splits[split].y, full.splits[split].y)


def test_labeled_images_depend_on_the_seed_of_the_splits_only(digits):
    one, two = digits(labeled_per_class=7, seed=1), digits(labeled_per_class=7, seed=2)
    assert torch.equal(one.labeled, two.labeled)
    assert not torch.equal(one.labeled, digits(labeled_per_class=7, split_seed=1).labeled)


def test_labeled_images_are_not_the_first_of_an_epoch(digits):
    labels = next(iter(digits(labeled_per_class=10, batch_size=100).train_dataloader())).y
    assert (labels != UNKNOWN).sum() < 25  # 8 on average


def test_random_batch_of_labeled_images_has_no_unknown_label(digits):
    data = digits(labeled_per_class=2)
    x, y = data.random_batch(1000, torch.device("cpu"), data.labeled)
    assert set(y.tolist()) == set(range(10))
    assert len(x.flatten(1).unique(dim=0)) == 20
    assert UNKNOWN in data.random_batch(1000, torch.device("cpu")).y


def test_labeled_per_class_rejects_too_few_images_factors_and_no_validation_images(digits, mnist_root):
    with pytest.raises(UserError, match=r"data.labeled_per_class=9: the smallest class has 8 labeled training images"):
        MNISTDataModule(root=str(mnist_root), download=False, val_size=20, labeled_per_class=9).setup()
    sprites = SpritesDataModule(
        factor_sizes=[3, 2, 2, 2, 2], image_shape=[1, 16, 16], val_size=5, test_size=5, labeled_per_class=2
    )
    with pytest.raises(UserError, match=r"data.labeled_per_class=2: the labels of these images are not classes"):
        sprites.setup()
    with pytest.raises(UserError, match=r"data: some training images are unlabeled, which requires"):
        digits(labeled_per_class=2, val_size=0)


def test_images_whose_class_is_not_given_are_no_class():
    y = torch.tensor([UNKNOWN, 0, 0, 1, 1])
    assert torch.equal(labeled_subset(y, 2, torch.arange(5)), y)


def test_unknown_classes_require_validation_images():
    x, y = torch.rand(20, 1, 8, 8), torch.arange(20) % 3 - 1
    with pytest.raises(UserError, match=r"^data: some training images are unlabeled, which requires"):
        ArrayDataModule(x, y, test=(x, y + 1), val_fraction=0).setup()
