"""Digits as scikit-learn carries them; MNIST, Fashion-MNIST and CIFAR-10 from files in the official formats."""

import hashlib
import pickle
import struct

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from vae_lightning.data import (
    Batch,
    CIFAR10DataModule,
    DigitsDataModule,
    FashionMNISTDataModule,
    MNISTDataModule,
    stratified_split,
)
from vae_lightning.data.base import binarized
from vae_lightning.errors import UserError

LOADING = {"num_classes": 10, "batch_size": 8, "eval_batch_size": 16, "seed": 0, "split_seed": 0}
LOADING |= {"binarize": "none", "validation_split": "val", "device_resident": "auto"}


def digits(**settings) -> DigitsDataModule:
    return DigitsDataModule(**{"image_shape": [1, 28, 28], "val_size": 180, "test_size": 360, **LOADING, **settings})


def mnist(root, **settings) -> MNISTDataModule:
    return MNISTDataModule(
        **{"root": str(root), "image_shape": [1, 28, 28], "download": False, "val_size": 20, **LOADING, **settings}
    )


def test_digits_are_all_there_stratified_and_uint8():
    data = digits()
    data.setup()
    assert {name: tuple(split.x.shape) for name, split in data.splits.items()} == {
        "train": (1257, 1, 28, 28),
        "val": (180, 1, 28, 28),
        "test": (360, 1, 28, 28),
    }
    everywhere = torch.cat([split.y for split in data.splits.values()]).bincount()
    assert everywhere.tolist() == torch.from_numpy(load_digits().target).bincount().tolist()
    for x, y in data.splits.values():
        assert x.dtype == torch.uint8
        assert y.dtype == torch.int64
        assert (y.bincount() / len(y) - everywhere / 1797).abs().max() < 0.005
        assert x.max() == 255


def test_digits_at_their_own_size_are_the_originals():
    data = digits(image_shape=[1, 8, 8], val_size=0)
    data.setup()
    original = torch.from_numpy(load_digits().images) * 255 / 16
    ours = torch.cat([split.x for split in data.splits.values()])
    assert ours.shape == (1797, 1, 8, 8)
    assert {tuple(image) for image in ours.flatten(1).tolist()} == {
        tuple(image) for image in original.round().int().flatten(1).tolist()
    }


def test_the_splits_do_not_depend_on_the_seed_but_the_order_of_training_does():
    one, two = digits(seed=1), digits(seed=2)
    one.setup()
    two.setup()
    assert torch.equal(one.splits["val"].x, two.splits["val"].x)
    first, second = (next(iter(data.train_dataloader())).x for data in (one, two))
    assert not torch.equal(first, second)


def test_no_validation_set_means_no_loader():
    data = digits(val_size=0)
    data.setup()
    assert data.val_dataloader() == []


def test_in_three_channels_the_digits_are_grey():
    data = digits(image_shape=[3, 16, 16])
    data.setup()
    x = data.splits["train"].x
    assert x.shape == (1257, 3, 16, 16)
    assert torch.equal(x, x[:, :1].expand_as(x))


def test_a_paper_that_validates_on_the_test_images_can_be_followed():
    data = digits(val_size=0, validation_split="test")
    data.setup()
    assert torch.equal(torch.cat([batch.x for batch in data.val_dataloader()]), data.splits["test"].x)


def test_a_pixel_is_white_with_the_probability_of_its_grey():
    x = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).expand(100_000, 4)
    white = binarized(x)
    assert white.dtype == torch.uint8
    assert set(white.unique().tolist()) == {0, 255}
    share = (white == 255).float().mean(0)
    torch.testing.assert_close(share, torch.tensor([0.0, 0.2, 0.8, 1.0]), atol=0.01, rtol=0)
    assert share[0] == 0
    assert share[3] == 1


def test_fixed_binary_images_are_drawn_once_whatever_the_seed():
    one, two, grey = digits(binarize="fixed", seed=1), digits(binarize="fixed", seed=2), digits()
    for data in (one, two, grey):
        data.setup()
    for split in ("train", "val", "test"):
        assert torch.equal(one.splits[split].x, two.splits[split].x)
        assert not ((one.splits[split].x == 255) & (grey.splits[split].x == 0)).any()
    batch = Batch(one.splits["test"].x, None)
    assert one.on_after_batch_transfer(batch, 0) is batch


def test_dynamic_binary_images_are_drawn_anew_in_each_batch():
    data = digits(binarize="dynamic")
    data.setup()
    batch = next(iter(data.test_dataloader()))
    first, second = (data.on_after_batch_transfer(batch, 0).x for _ in range(2))
    assert set(first.unique().tolist()) == {0, 255}
    assert not torch.equal(first, second)
    assert set(data.random_batch(5, torch.device("cpu")).x.unique().tolist()) == {0, 255}


def test_a_random_batch_keeps_image_and_label_together(mnist_root):
    data = mnist(mnist_root)
    data.setup()
    x, y = data.random_batch(1000, torch.device("cpu"))
    assert torch.equal(x[:, 0, 0, 0] % 10, y.to(torch.uint8))
    assert len(x[:, 0, 0, 0].unique()) == 80


def test_another_way_to_binarize_is_refused():
    with pytest.raises(UserError, match=r"data.binarize=half: not a valid choice. Choose one of none, fixed, dynamic"):
        digits(binarize="half")


def test_mnist_reads_the_official_files(mnist_root):
    data = mnist(mnist_root)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 80, "val": 20, "test": 50}
    for x, y in data.splits.values():
        assert torch.equal(x[:, 0, 0, 0] % 10, y.to(torch.uint8))
        assert torch.equal(x, x[:, :1, :1, :1].expand_as(x))
    assert data.splits["val"].y.bincount().tolist() == [2] * 10


def test_mnist_without_a_validation_set_trains_on_all_in_the_files_order(mnist_root):
    data = mnist(mnist_root, val_size=0)
    data.setup()
    assert data.splits["train"].x[:, 0, 0, 0].tolist() == list(range(100))


def test_missing_files_are_named_with_the_data_that_needs_none(tmp_path):
    with pytest.raises(UserError) as error:
        mnist(tmp_path).prepare_data()
    message = str(error.value)
    assert "\n" not in message
    for part in (str(tmp_path / "MNIST" / "raw"), "train-images-idx3-ubyte", "set data.root to", "data=digits"):
        assert part in message


def test_files_that_cannot_be_read_are_told_from_files_that_are_missing(mnist_root):
    cut = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    cut.write_bytes(cut.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        mnist(mnist_root).prepare_data()


DAMAGES = {
    "truncated": lambda data: data[:1000],
    "wrong magic": lambda data: b"\x01\x02\x03\x04" + data[4:],
    "another type": lambda data: struct.pack(">I", 2816 + 3) + data[4:],
    "empty": lambda data: b"",
    "another shape": lambda data: struct.pack(">IIII", 2051, 100, 28, 14) + data[16:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_idx_file_is_told(damage, mnist_root):
    path = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UserError, match=r"data=mnist: the files in .*MNIST/raw cannot be read \(.+\)"):
        mnist(mnist_root).prepare_data()


def test_labels_and_images_of_different_length_are_told(mnist_root):
    path = mnist_root / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    path.write_bytes(struct.pack(">II", 2049, 60) + path.read_bytes()[8:68])
    with pytest.raises(UserError, match=r"data=mnist: there are 100 images but 60 labels in .*MNIST/raw"):
        mnist(mnist_root).prepare_data()


def test_fashion_mnist_is_read_from_its_own_folder_with_the_names_of_its_classes(mnist_root):
    (mnist_root / "MNIST").rename(mnist_root / "FashionMNIST")
    options = {"root": str(mnist_root), "image_shape": [1, 28, 28], "download": False, "val_size": 20}
    data = FashionMNISTDataModule(**options, **LOADING)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 80, "val": 20, "test": 50}
    assert data.label_names[0] == "T-shirt/top"


@pytest.fixture
def cifar10_root(tmp_path, monkeypatch):
    """20 images a batch in the official files: image i is filled with (i, 2 i, 3 i)."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    channels = np.array([1, 2, 3], np.uint8)[None, :, None] * np.arange(20, dtype=np.uint8)[:, None, None]
    batch = {"data": np.broadcast_to(channels, (20, 3, 1024)).reshape(20, 3072), "labels": [i % 10 for i in range(20)]}
    contents = dict.fromkeys(CIFAR10DataModule.files[:-1], batch)
    contents["batches.meta"] = {"label_names": ["airplane", *"bcdefghij"]}
    sums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in CIFAR10DataModule.files[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {**CIFAR10.meta, "md5": sums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return tmp_path


def cifar10(root) -> CIFAR10DataModule:
    options = {"root": str(root), "image_shape": [3, 32, 32], "download": False, "val_size": 20}
    return CIFAR10DataModule(**options, **LOADING)


def test_cifar10_is_read_channels_first(cifar10_root):
    data = cifar10(cifar10_root)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 80, "val": 20, "test": 20}
    x, y = data.splits["test"]
    expected = torch.arange(20)[:, None] * torch.tensor([1, 2, 3])
    assert torch.equal(x, expected.to(torch.uint8)[:, :, None, None].expand(20, 3, 32, 32))
    assert torch.equal(y, torch.arange(20) % 10)
    assert data.label_names[0] == "airplane"


def test_a_damaged_cifar10_is_told(cifar10_root):
    path = cifar10_root / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data=cifar10: the files in .*cifar-10-batches-py cannot be read"):
        cifar10(cifar10_root).prepare_data()


def test_labels_that_do_not_fit_are_refused(mnist_root):
    with pytest.raises(UserError, match=r"the train labels go up to 9. Set 10 or more"):
        mnist(mnist_root, num_classes=5).setup()


def test_a_download_that_fails_says_the_same_and_leaves_nothing(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    with pytest.raises(UserError, match="no download"):
        mnist(tmp_path / "data", download=True).prepare_data()
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_shape_are_refused(mnist_root):
    with pytest.raises(
        UserError, match=r"data.image_shape=\[1, 32, 32\]: .*\(1, 28, 28\). Set data.image_shape=\[1, 28, 28\]"
    ):
        mnist(mnist_root, image_shape=[1, 32, 32]).setup()


def test_a_split_smaller_than_its_classes_is_refused():
    y = torch.arange(20) % 10
    with pytest.raises(UserError, match="cannot hold out 5 of 20 images of 10 classes"):
        stratified_split(Batch(torch.zeros(20, 1, 1, 1, dtype=torch.uint8), y), 5, seed=0)
