"""Any folder of images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.data import ImageFolderDataModule
from vae_lightning.errors import UserError


def datamodule(root, **settings) -> ImageFolderDataModule:
    options = {
        "root": str(root), "cache": None, "crop": "square", "skip_corrupt": False, "image_shape": [3, 8, 8],
        "num_classes": None, "val_fraction": 0.1, "test_fraction": 0.2, "split_seed": 0, "batch_size": 8,
        "eval_batch_size": 16, "seed": 0, "binarize": "none", "validation_split": "val", "device_resident": "auto",
    }  # fmt: skip
    data = ImageFolderDataModule(**{**options, **settings})
    data.prepare_data()
    data.setup()
    return data


def fill(folder: Path, grey: int, n: int, size: tuple[int, int] = (20, 12)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(np.full((size[1], size[0]), grey, np.uint8)).save(folder / f"{i}.png")


def sizes(data) -> dict[str, int]:
    return {name: len(split.x) for name, split in data.splits.items()}


def test_a_flat_folder_is_unlabelled_and_split_at_random(tmp_path):
    fill(tmp_path, 100, 50)
    data = datamodule(tmp_path)
    assert sizes(data) == {"train": 36, "val": 4, "test": 10}
    assert data.splits["train"].y is None
    assert (data.splits["train"].x == 100).all()


def test_class_folders_are_labels(tmp_path):
    for k, name in enumerate(("cat", "dog", "bird/blue")):
        fill(tmp_path / name, 50 * k, 10)
    data = datamodule(tmp_path, num_classes=3)
    assert data.label_names == ["bird/blue", "cat", "dog"]
    for x, y in data.splits.values():
        greys = torch.tensor([100, 0, 50])[y]
        assert torch.equal(x[:, 0, 0, 0].long(), greys)
    assert {int(k) for split in data.splits.values() for k in split.y} == {0, 1, 2}


def test_folders_of_splits_are_followed(tmp_path):
    for split, n in (("train", 20), ("test", 6)):
        for k, name in enumerate(("cat", "dog")):
            fill(tmp_path / split / name, 50 * k, n)
    data = datamodule(tmp_path)
    assert sizes(data) == {"train": 36, "val": 4, "test": 12}
    assert data.label_names == ["cat", "dog"]
    fill(tmp_path / "val" / "cat", 0, 3)
    assert sizes(datamodule(tmp_path)) == {"train": 40, "val": 3, "test": 12}


def test_mixed_sizes_modes_and_formats(tmp_path):
    for mode, suffix in (("RGB", "jpg"), ("L", "png"), ("RGBA", "PNG"), ("CMYK", "tif"), ("P", "gif"), ("RGB", "webp")):
        for side in (5, 30):
            Image.new("RGB", (side, side + 7), "white").convert(mode).save(tmp_path / f"{mode}{side}.{suffix}")
    (tmp_path / "notes.txt").write_text("no image")
    data = datamodule(tmp_path, test_fraction=0.5)
    assert sum(sizes(data).values()) == 12
    assert all((split.x > 240).all() for split in data.splits.values())


def test_a_new_image_is_noticed(tmp_path):
    fill(tmp_path, 100, 10)
    assert sum(sizes(datamodule(tmp_path)).values()) == 10
    fill(tmp_path / "more", 100, 5)
    assert sum(sizes(datamodule(tmp_path)).values()) == 15


def test_mistakes_are_told(tmp_path):
    with pytest.raises(UserError, match=r"data.root=.*nowhere: no such directory"):
        datamodule(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no images \(.bmp, .gif"):
        datamodule(tmp_path)
    fill(tmp_path, 0, 1)
    with pytest.raises(UserError, match=r"1 images are too few to split"):
        datamodule(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"no JPEG")
    fill(tmp_path, 0, 9)
    with pytest.raises(
        UserError, match=r"1 of 10 images cannot be decoded, first .*broken.jpg \(cannot identify image file\)"
    ):
        datamodule(tmp_path)
    assert sum(sizes(datamodule(tmp_path, skip_corrupt=True)).values()) == 9
