"""Tests of MNIST, Fashion-MNIST and CIFAR-10, read from small files in the official formats."""

import hashlib
import pickle
import struct

import numpy as np
import pytest
import torch

from vae_lightning.data import CIFAR10DataModule, FashionMNISTDataModule, MNISTDataModule
from vae_lightning.errors import UserError


def mnist(root, **options) -> MNISTDataModule:
    return MNISTDataModule(**{"root": str(root), "download": False, "val_size": 20, **options})


def test_mnist_reads_the_official_files(mnist_root):
    data = mnist(mnist_root)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 80, "val": 20, "test": 50}
    for x, y in data.splits.values():
        assert torch.equal(x[:, 0, 0, 0] % 10, y.to(torch.uint8))
        assert torch.equal(x, x[:, :1, :1, :1].expand_as(x))
    assert data.splits["val"].y.bincount().tolist() == [2] * 10


def test_mnist_without_a_validation_set_keeps_the_order_of_the_files(mnist_root):
    data = mnist(mnist_root, val_size=0)
    data.setup()
    assert data.splits["train"].x[:, 0, 0, 0].tolist() == list(range(100))


def test_mnist_reports_missing_files(tmp_path):
    with pytest.raises(UserError) as error:
        mnist(tmp_path).prepare_data()
    message = str(error.value)
    assert "\n" not in message
    for part in (str(tmp_path / "MNIST" / "raw"), "train-images-idx3-ubyte", "set data.root to", "data=digits"):
        assert part in message


def test_mnist_distinguishes_damaged_from_missing_files(mnist_root):
    truncated = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    truncated.write_bytes(truncated.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        mnist(mnist_root).prepare_data()


DAMAGES = {
    "truncated": lambda data: data[:1000],
    "wrong magic": lambda data: b"\x01\x02\x03\x04" + data[4:],
    "wrong type": lambda data: struct.pack(">I", 2816 + 3) + data[4:],
    "empty": lambda data: b"",
    "wrong shape": lambda data: struct.pack(">IIII", 2051, 100, 28, 14) + data[16:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_mnist_reports_a_damaged_file(damage, mnist_root):
    path = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UserError, match=r"data=mnist: the files in .*MNIST/raw cannot be read \(.+\)"):
        mnist(mnist_root).prepare_data()


def test_mnist_reports_different_numbers_of_images_and_labels(mnist_root):
    path = mnist_root / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    path.write_bytes(struct.pack(">II", 2049, 60) + path.read_bytes()[8:68])
    with pytest.raises(UserError, match=r"data=mnist: there are 100 images but 60 labels in .*MNIST/raw"):
        mnist(mnist_root).prepare_data()


def test_fashion_mnist_has_its_own_directory_and_class_names(mnist_root):
    (mnist_root / "MNIST").rename(mnist_root / "FashionMNIST")
    data = FashionMNISTDataModule(root=str(mnist_root), download=False, val_size=20)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 80, "val": 20, "test": 50}
    assert data.label_names[0] == "T-shirt/top"


@pytest.fixture
def cifar10_root(tmp_path, monkeypatch):
    """Return the root of a small CIFAR-10: 20 images per official file; image i is filled with (i, 2 i, 3 i)."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    channels = np.array([1, 2, 3], np.uint8)[None, :, None] * np.arange(20, dtype=np.uint8)[:, None, None]
    batch = {"data": np.broadcast_to(channels, (20, 3, 1024)).reshape(20, 3072), "labels": [i % 10 for i in range(20)]}
    contents = dict.fromkeys(CIFAR10DataModule.files[:-1], batch)
    contents["batches.meta"] = {"label_names": ["airplane", *"bcdefghij"]}
    checksums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        checksums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [[name, checksums[name]] for name in CIFAR10DataModule.files[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checksums["test_batch"]]])
    meta = {**CIFAR10.meta, "md5": checksums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return tmp_path


def cifar10(root) -> CIFAR10DataModule:
    return CIFAR10DataModule(root=str(root), download=False, val_size=20)


def test_cifar10_has_channels_first(cifar10_root):
    data = cifar10(cifar10_root)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 80, "val": 20, "test": 20}
    x, y = data.splits["test"]
    expected = torch.arange(20)[:, None] * torch.tensor([1, 2, 3])
    assert torch.equal(x, expected.to(torch.uint8)[:, :, None, None].expand(20, 3, 32, 32))
    assert torch.equal(y, torch.arange(20) % 10)
    assert data.label_names[0] == "airplane"


def test_cifar10_reports_a_damaged_file(cifar10_root):
    path = cifar10_root / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data=cifar10: the files in .*cifar-10-batches-py cannot be read"):
        cifar10(cifar10_root).prepare_data()


def test_mnist_reports_a_failed_download_and_leaves_no_files(tmp_path, monkeypatch):
    def raise_no_network(*_, **__):
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", raise_no_network)
    with pytest.raises(UserError, match=r"no files in .*, and the download failed \(.*no network\). Put train-images"):
        mnist(tmp_path / "data", download=True).prepare_data()
    assert list(tmp_path.iterdir()) == []
