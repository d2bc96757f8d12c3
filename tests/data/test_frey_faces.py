"""Tests of the Frey faces, read from small files in both formats."""

import numpy as np
import pytest
from scipy.io import savemat

from vae_lightning.data import FreyFacesDataModule, frey_faces
from vae_lightning.data.frey_faces import MATLAB, NUMPY
from vae_lightning.errors import UserError

IMAGES = np.random.default_rng(0).integers(256, size=(50, 28, 20), dtype=np.uint8)


def write_matlab(root) -> None:
    savemat(root / MATLAB, {"ff": IMAGES.reshape(50, -1).T})  # one column per image, row by row


def write_numpy(root) -> None:
    np.save(root / NUMPY, IMAGES)


def load(root, **options) -> FreyFacesDataModule:
    data = FreyFacesDataModule(root=str(root), download=False, **{"val_size": 10, "test_size": 15, **options})
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize("write", [write_matlab, write_numpy])
def test_every_image_is_in_one_split(write, tmp_path):
    write(tmp_path)
    splits = load(tmp_path).splits
    assert {name: split.x.shape for name, split in splits.items()} == {
        "train": (25, 1, 28, 20),
        "val": (10, 1, 28, 20),
        "test": (15, 1, 28, 20),
    }
    images = [x.numpy().tobytes() for split in splits.values() for x in split.x]
    assert sorted(images) == sorted(x.tobytes() for x in IMAGES)


def test_both_formats_and_all_runs_have_the_same_splits(tmp_path):
    write_matlab(tmp_path)
    before = load(tmp_path).splits["test"].x
    write_numpy(tmp_path)
    assert before.equal(load(tmp_path, seed=1).splits["test"].x)
    assert not before.equal(load(tmp_path, split_seed=1).splits["test"].x)


def test_damaged_and_missing_files_are_reported(tmp_path):
    message = r"data=frey_faces: .*frey_rawface.mat cannot be read \(.+\). Download it again"
    with pytest.raises(UserError, match=message):
        load(tmp_path)
    (tmp_path / MATLAB).write_bytes(b"not a file of MATLAB")
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_a_missing_file_is_downloaded(tmp_path, monkeypatch):
    urls = []
    monkeypatch.setattr(frey_faces, "fetch", lambda url, *_: urls.append(url))
    FreyFacesDataModule(root=str(tmp_path)).prepare_data()
    assert urls == ["https://cs.nyu.edu/~roweis/data/frey_rawface.mat"]
