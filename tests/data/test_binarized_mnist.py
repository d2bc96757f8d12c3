"""Tests of statically binarized MNIST, read from small files in both formats."""

import numpy as np
import pytest

from vae_lightning.data import BinarizedMNISTDataModule, binarized_mnist
from vae_lightning.data.binarized_mnist import ARCHIVE
from vae_lightning.errors import UserError

SIZES = {"train": 30, "val": 20, "test": 10}
PARTS = {"train": "train", "val": "valid", "test": "test"}


@pytest.fixture
def bits(monkeypatch) -> dict[str, np.ndarray]:
    """Return the pixels of each split, uint8 (N, 784) of 0 and 1, and expect as many images."""
    monkeypatch.setattr(binarized_mnist, "SIZES", SIZES)
    return {split: np.random.default_rng(n).integers(2, size=(n, 784), dtype=np.uint8) for split, n in SIZES.items()}


def write_text(root, bits, newline="\n") -> None:
    for split, rows in bits.items():
        text = newline.join(" ".join(map(str, row)) for row in rows) + newline
        (root / f"binarized_mnist_{PARTS[split]}.amat").write_text(text)


def write_archive(root, bits) -> None:
    np.savez(root / ARCHIVE, **{PARTS[split]: np.packbits(rows, axis=1) for split, rows in bits.items()})


def load(root) -> dict[str, np.ndarray]:
    data = BinarizedMNISTDataModule(root=str(root), download=False)
    data.prepare_data()
    data.setup()
    assert all(split.y is None for split in data.splits.values())
    return {name: split.x.numpy() for name, split in data.splits.items()}


@pytest.mark.parametrize("write", [write_text, lambda *args: write_text(*args, newline=" \r\n"), write_archive])
def test_images_are_those_of_the_files(write, bits, tmp_path):
    write(tmp_path, bits)
    images = load(tmp_path)
    assert {name: x.shape for name, x in images.items()} == {name: (n, 1, 28, 28) for name, n in SIZES.items()}
    assert np.array_equal(images["train"], 255 * bits["train"].reshape(-1, 1, 28, 28))
    for name in ("val", "test"):  # shuffled
        expected = 255 * bits[name].reshape(-1, 1, 28, 28)
        assert not np.array_equal(images[name], expected)
        assert {x.tobytes() for x in images[name]} == {x.tobytes() for x in expected}


def test_the_order_of_the_test_images_does_not_depend_on_the_run(bits, tmp_path):
    write_archive(tmp_path, bits)
    assert np.array_equal(load(tmp_path)["test"], load(tmp_path)["test"])


@pytest.mark.parametrize("damage", ["missing", "another digit", "truncated"])
def test_damaged_files_are_reported(damage, bits, tmp_path):
    write_text(tmp_path, bits)
    path = tmp_path / "binarized_mnist_test.amat"
    if damage == "missing":
        path.unlink()
    else:
        text = path.read_text()
        path.write_text(text[:-20] if damage == "truncated" else text.replace("1", "2", 1))
    with pytest.raises(UserError, match=r"binarized_mnist_test.amat cannot be read \(.+\). Download it again"):
        load(tmp_path)


def test_missing_files_are_downloaded(bits, tmp_path, monkeypatch):
    urls = []
    monkeypatch.setattr(binarized_mnist, "fetch", lambda url, *_: urls.append(url))
    write_text(tmp_path, bits)
    (tmp_path / "binarized_mnist_valid.amat").unlink()
    BinarizedMNISTDataModule(root=str(tmp_path)).prepare_data()
    assert urls == ["http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/binarized_mnist_valid.amat"]
