"""The base class of all data modules."""

import pytest
import torch

from vae_lightning.data import Batch, ImageDataModule, MNISTDataModule
from vae_lightning.errors import UserError


def mnist(root, **options) -> MNISTDataModule:
    return MNISTDataModule(**{"root": str(root), "download": False, "val_size": 20, **options})


def test_seed_changes_the_order_of_training_but_not_the_splits(digits):
    one, two = digits(seed=1), digits(seed=2)
    assert torch.equal(one.splits["val"].x, two.splits["val"].x)
    first, second = (next(iter(data.train_dataloader())).x for data in (one, two))
    assert not torch.equal(first, second)


def test_val_dataloader_is_empty_without_a_validation_set(digits):
    data = digits(val_size=0)
    assert data.val_dataloader() == []


def test_validation_split_test_validates_on_the_test_images(digits):
    data = digits(val_size=0, validation_split="test")
    assert torch.equal(torch.cat([batch.x for batch in data.val_dataloader()]), data.splits["test"].x)


def test_random_batch_keeps_images_and_labels_aligned(mnist_root):
    data = mnist(mnist_root)
    data.setup()
    x, y = data.random_batch(1000, torch.device("cpu"))
    assert torch.equal(x[:, 0, 0, 0] % 10, y.to(torch.uint8))
    assert len(x[:, 0, 0, 0].unique()) == 80


def test_binarize_rejects_other_values(digits):
    with pytest.raises(UserError, match=r"data.binarize=half: not a valid choice. Choose one of none, fixed, dynamic"):
        digits(binarize="half")


def test_setup_rejects_labels_beyond_num_classes(mnist_root):
    with pytest.raises(UserError, match=r"the train labels go up to 9. Set 10 or more"):
        mnist(mnist_root, num_classes=5).setup()


def test_setup_rejects_images_of_another_shape(mnist_root):
    with pytest.raises(
        UserError, match=r"data.image_shape=\[1, 32, 32\]: .* have \[1, 28, 28\]. Set data.image_shape=\[1, 28, 28\]"
    ):
        mnist(mnist_root, image_shape=[1, 32, 32]).setup()


class Mine(ImageDataModule):
    """Loads what it is given."""

    def __init__(self, splits):
        super().__init__(image_shape=(1, 2, 2))
        self.given = splits

    def load(self):
        return self.given


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        (
            (5, 1, 2, 2),
            torch.float64,
            r"^data: the train images are torch.float64 of shape \(5, 1, 2, 2\), but",
        ),
        ((5, 2, 2), torch.uint8, r"^data: the train images are torch.uint8 of shape \(5, 2, 2\), .* in Mine.load"),
    ],
)
def test_setup_rejects_images_of_another_type_or_shape(shape, dtype, message):
    images = Batch(torch.zeros(shape, dtype=dtype), None)
    with pytest.raises(UserError, match=message):
        Mine({"train": images, "val": images, "test": images}).setup()


def test_setup_rejects_floats_outside_of_the_unit_interval():
    x = torch.full((5, 1, 2, 2), 0.5)
    Mine({"train": Batch(x, None), "val": Batch(x[:0], None), "test": Batch(x, None)}).setup()
    for value, shown in ((1.5, "0.5 to 1.5"), (-1.0, "-1 to 0.5"), (1.0000002, "0.5 to 1.000000238418579")):
        images = Batch(x.index_fill(0, torch.tensor(0), value), None)
        with pytest.raises(UserError, match=rf"^data: the test images have values from {shown}\. Scale them to"):
            Mine({"train": Batch(x, None), "val": Batch(x[:0], None), "test": images}).setup()
    images = Batch(x.index_fill(0, torch.tensor(0), torch.nan), None)
    with pytest.raises(UserError, match=r"^data: the test images contain NaN"):
        Mine({"train": Batch(x, None), "val": Batch(x[:0], None), "test": images}).setup()


def test_setup_rejects_labels_in_some_splits_only():
    x = torch.zeros(5, 1, 2, 2, dtype=torch.uint8)
    labeled, unlabeled = Batch(x, torch.zeros(5).long()), Batch(x, None)
    with pytest.raises(UserError, match=r"^data: only the train and val images have labels. Give labels to all splits"):
        Mine({"train": labeled, "val": labeled, "test": unlabeled}).setup()
    Mine({"train": labeled, "val": Batch(x[:0], None), "test": labeled}).setup()


def test_setup_rejects_missing_splits():
    with pytest.raises(UserError, match=r"^data: Mine.load does not return test and val. Return the splits train, val"):
        Mine({"train": Batch(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), None)}).setup()
