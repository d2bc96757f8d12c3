"""Tests of OMNIGLOT and Caltech 101 Silhouettes, read from small files in the official formats."""

import numpy as np
import pytest
import torch
from scipy.io import savemat

from vae_lightning.data import CaltechSilhouettesDataModule, OmniglotDataModule
from vae_lightning.errors import UserError

RNG = np.random.default_rng(0)
BITS = {name: RNG.integers(2, size=(n, 28, 28), dtype=np.uint8) for name, n in (("train", 30), ("val", 7), ("test", 9))}
LABELS = {name: RNG.integers(101, size=len(bits)) for name, bits in BITS.items()}


def by_columns(images: np.ndarray) -> np.ndarray:
    """Return images as rows, each column by column as MATLAB stores a matrix: (N, 784)."""
    return np.stack([image.ravel(order="F") for image in images])


def write_omniglot(root, scale=1.0) -> None:
    gray = {name: scale * by_columns(BITS[part]).T for name, part in (("data", "train"), ("testdata", "test"))}
    savemat(root / "chardata.mat", gray)


def write_silhouettes(root) -> None:
    arrays = {f"{name}_data": 1 - by_columns(bits) for name, bits in BITS.items()}
    labels = {f"{name}_labels": 1 + values[:, None] for name, values in LABELS.items()}
    savemat(root / "caltech101_silhouettes_28_split1.mat", arrays | labels)


def omniglot(root, **options) -> OmniglotDataModule:
    data = OmniglotDataModule(**{"root": str(root), "download": False, "val_size": 5, **options})
    data.setup()
    return data


def test_omniglot_has_upright_images_each_in_one_split(tmp_path):
    write_omniglot(tmp_path, scale=0.5)
    splits = omniglot(tmp_path).splits
    assert {name: split.x.shape for name, split in splits.items()} == {
        "train": (25, 1, 28, 28),
        "val": (5, 1, 28, 28),
        "test": (9, 1, 28, 28),
    }
    assert np.array_equal(splits["test"].x[:, 0], 128 * BITS["test"])
    images = {x.numpy().tobytes() for name in ("train", "val") for x in splits[name].x}
    assert images == {(128 * x).tobytes() for x in BITS["train"]}
    assert torch.equal(splits["val"].x, omniglot(tmp_path, seed=1).splits["val"].x)
    assert not torch.equal(splits["val"].x, omniglot(tmp_path, split_seed=1).splits["val"].x)


def test_silhouettes_are_white_and_have_classes_from_zero(tmp_path):
    write_silhouettes(tmp_path)
    data = CaltechSilhouettesDataModule(root=str(tmp_path), download=False)
    data.setup()
    for name, (x, y) in data.splits.items():
        assert np.array_equal(x[:, 0], 255 * BITS[name])
        assert np.array_equal(y, LABELS[name])
    assert data.num_classes == 1 + max(labels.max() for labels in LABELS.values())


def test_damaged_and_unsuitable_files_are_reported(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"^data=omniglot: .*chardata\.mat cannot be read \(.+\)\. Download it again"):
        omniglot(tmp_path)
    write_omniglot(tmp_path)
    with pytest.raises(UserError, match=r"cannot be read \(30 images are too few for data\.val_size=30\)"):
        omniglot(tmp_path, val_size=30)
    write_omniglot(tmp_path, scale=255.0)
    with pytest.raises(UserError, match=r"cannot be read \(its pixels are from 0 to 255\)"):
        omniglot(tmp_path)
    urls = []
    monkeypatch.setattr("vae_lightning.data.matlab_file.fetch", lambda url, *_: urls.append(url))
    CaltechSilhouettesDataModule(root=str(tmp_path)).prepare_data()
    assert urls == [CaltechSilhouettesDataModule.url]
