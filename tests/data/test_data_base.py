"""Tests of the base class of all data modules."""

import lightning as L
import pytest
import torch

from vae_lightning.data import (
    ArrayDataModule,
    Batch,
    DigitsDataModule,
    ImageDataModule,
    MNISTDataModule,
    SpritesDataModule,
    stratified_split,
)
from vae_lightning.data.base import UNKNOWN, binarized, flipped, hold_out
from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import draw_images
from vae_lightning.models import VAE
from vae_lightning.networks import MLP


def digits(**options) -> DigitsDataModule:
    """Return a data module that has loaded its images."""
    data = DigitsDataModule(**options)
    data.setup()
    return data


def mnist(root, **options) -> MNISTDataModule:
    return MNISTDataModule(**{"root": str(root), "download": False, "val_size": 20, **options})


def test_seed_changes_the_order_of_training_but_not_the_splits():
    one, two = digits(seed=1), digits(seed=2)
    assert torch.equal(one.splits["val"].x, two.splits["val"].x)
    first, second = (next(iter(data.train_dataloader())).x for data in (one, two))
    assert not torch.equal(first, second)


def test_val_dataloader_is_empty_without_a_validation_set():
    data = digits(val_size=0)
    assert data.val_dataloader() == []


def test_validation_split_test_validates_on_the_test_images():
    data = digits(val_size=0, validation_split="test")
    assert torch.equal(torch.cat([batch.x for batch in data.val_dataloader()]), data.splits["test"].x)


@pytest.mark.parametrize("is_float", [False, True])
def test_binarized_pixel_is_white_with_the_probability_of_its_gray_value(is_float):
    x = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).expand(100_000, 4)
    x = x / 255 if is_float else x
    white = binarized(x)
    assert white.dtype == torch.uint8
    assert set(white.unique().tolist()) == {0, 255}
    fraction = (white == 255).float().mean(0)
    torch.testing.assert_close(fraction, torch.tensor([0.0, 0.2, 0.8, 1.0]), atol=0.01, rtol=0)
    assert fraction[0] == 0
    assert fraction[3] == 1


def test_binarize_fixed_does_not_depend_on_the_seed():
    one, two, gray = digits(binarize="fixed", seed=1), digits(binarize="fixed", seed=2), digits()
    for split in ("train", "val", "test"):
        assert torch.equal(one.splits[split].x, two.splits[split].x)
        assert not ((one.splits[split].x == 255) & (gray.splits[split].x == 0)).any()
    batch = Batch(one.splits["test"].x, None)
    assert one.on_after_batch_transfer(batch, 0).x is batch.x


def test_binarize_dynamic_differs_in_each_batch():
    data = digits(binarize="dynamic")
    batch = next(iter(data.test_dataloader()))
    first, second = (data.on_after_batch_transfer(batch, 0).x for _ in range(2))
    assert set(first.unique().tolist()) == {0, 255}
    assert not torch.equal(first, second)
    assert set(data.random_batch(5, torch.device("cpu")).x.unique().tolist()) == {0, 255}


def test_flipped_mirrors_each_image_with_probability_one_half():
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.uint8).expand(10_000, 2, 2, 3)
    result = flipped(x)
    is_mirrored = result[:, 0, 0, 0] == 3
    assert is_mirrored.float().mean() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(result[is_mirrored], x.flip(3)[is_mirrored])
    assert torch.equal(result[~is_mirrored], x[~is_mirrored])


def test_processes_flip_the_images_of_one_process():
    data = digits(flip=True, binarize="dynamic")
    batch = data.splits["train"].rows(slice(7))
    torch.manual_seed(0)
    expected = data.transform(batch, training=True).x
    for rank in range(2):
        shard = BatchShard(rank, 2)
        shard.total = 7
        torch.manual_seed(0)
        with shard:
            assert torch.equal(data.transform(batch.rows(shard.rows), training=True).x, expected[shard.rows])


class Recorder(L.Callback):
    """Records which images of each batch are mirrored, if their left halves are white and their right halves black."""

    def __init__(self) -> None:
        self.mirrored = {"train": [], "val": [], "test": []}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.mirrored["train"].append(batch.x[:, 0, 0, 0] == 0)
        self.mirrored["train"].append(trainer.datamodule.random_batch(20, pl_module.device).x[:, 0, 0, 0] == 0)

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.mirrored["val"].append(batch.x[:, 0, 0, 0] == 0)

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.mirrored["test"].append(batch.x[:, 0, 0, 0] == 0)


@pytest.mark.filterwarnings("ignore:`isinstance")  # Lightning's own use of torch
def test_flip_mirrors_training_images_only_and_anew_in_each_epoch():
    x = torch.zeros(40, 1, 8, 8)
    x[..., :4] = 1
    data = ArrayDataModule(x, val=x, test=x, flip=True, batch_size=40)
    recorder = Recorder()
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[recorder],
    )  # fmt: skip
    model = VAE(latent_dim=2, image_shape=data.image_shape, network=MLP(hidden_dims=[16]))
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    first, drawn, second, _ = recorder.mirrored["train"]
    assert first.any()
    assert not first.all()
    assert drawn.any()
    assert not torch.equal(first, second)
    assert len(recorder.mirrored["val"]) == 3  # with the sanity check
    assert not torch.cat(recorder.mirrored["val"] + recorder.mirrored["test"]).any()
    assert torch.equal(draw_images(data, "train", 40, seed=0).x, data.splits["train"].x)


def test_random_batch_keeps_images_and_labels_aligned(mnist_root):
    data = mnist(mnist_root)
    data.setup()
    x, y = data.random_batch(1000, torch.device("cpu"))
    assert torch.equal(x[:, 0, 0, 0] % 10, y.to(torch.uint8))
    assert len(x[:, 0, 0, 0].unique()) == 80


def test_binarize_rejects_other_values():
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
    for value, shown in ((1.5, "0.5 to 1.5"), (-1.0, "-1 to 0.5"), (torch.nan, "nan to nan")):
        images = Batch(x.index_fill(0, torch.tensor(0), value), None)
        with pytest.raises(UserError, match=rf"^data: the test images have values from {shown}\. Scale them to"):
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


def test_stratified_split_rejects_a_split_smaller_than_the_number_of_classes():
    y = torch.arange(20) % 10
    with pytest.raises(UserError, match="cannot hold out 5 of 20 images of 10 classes"):
        stratified_split(Batch(torch.zeros(20, 1, 1, 1, dtype=torch.uint8), y), 5, seed=0)


def test_hold_out_splits_off_parts_one_after_the_other():
    parts = hold_out("abcdefghij", {"test": 0.4, "val": 0.5}, seed=0)
    assert {name: len(items) for name, items in parts.items()} == {"train": 3, "test": 4, "val": 3}
    assert sorted(item for items in parts.values() for item in items) == [*"abcdefghij"]
    assert hold_out("abc", {}, seed=0) == {"train": [*"abc"]}


def test_labeled_per_class_keeps_as_many_labels_of_each_class():
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


def test_labeled_images_depend_on_the_seed_of_the_splits_only():
    one, two = digits(labeled_per_class=7, seed=1), digits(labeled_per_class=7, seed=2)
    assert torch.equal(one.labeled, two.labeled)
    assert not torch.equal(one.labeled, digits(labeled_per_class=7, split_seed=1).labeled)


def test_labeled_images_are_not_the_first_of_an_epoch():
    labels = next(iter(digits(labeled_per_class=10, batch_size=100).train_dataloader())).y
    assert (labels != UNKNOWN).sum() < 25  # 8 on average


def test_random_batch_of_labeled_images_has_no_unknown_label():
    data = digits(labeled_per_class=2)
    x, y = data.random_batch(1000, torch.device("cpu"), data.labeled)
    assert set(y.tolist()) == set(range(10))
    assert len(x.flatten(1).unique(dim=0)) == 20
    assert UNKNOWN in data.random_batch(1000, torch.device("cpu")).y


def test_labeled_per_class_rejects_too_few_images_factors_and_no_validation_images(mnist_root):
    with pytest.raises(UserError, match=r"data.labeled_per_class=9: a class has only 8 training images. Set 8 or less"):
        mnist(mnist_root, labeled_per_class=9).setup()
    sprites = SpritesDataModule(
        factor_sizes=[3, 2, 2, 2, 2], image_shape=[1, 16, 16], val_size=5, test_size=5, labeled_per_class=2
    )
    with pytest.raises(UserError, match=r"data.labeled_per_class=2: the labels of these images are not classes"):
        sprites.setup()
    with pytest.raises(UserError, match=r"data.labeled_per_class=2: requires validation images, which keep their"):
        digits(labeled_per_class=2, val_size=0)
