"""Tests of a directory of images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.data import ImageFolderDataModule
from vae_lightning.errors import UserError


def datamodule(root, **options) -> ImageFolderDataModule:
    """Return a data module that has read its images."""
    defaults = {"root": str(root), "image_shape": [3, 8, 8], "val_fraction": 0.1, "test_fraction": 0.2}
    data = ImageFolderDataModule(**{**defaults, **options})
    data.prepare_data()
    data.setup()
    return data


def write_images(folder: Path, gray: int, n: int, size: tuple[int, int] = (20, 12)) -> None:
    """Write n images that are filled with a gray value, of size (width, height)."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(np.full((size[1], size[0]), gray, np.uint8)).save(folder / f"{i}.png")


def sizes(data) -> dict[str, int]:
    """Return the number of images in each split."""
    return {name: len(split.x) for name, split in data.splits.items()}


def test_image_folder_splits_a_flat_directory_at_random_without_labels(tmp_path):
    write_images(tmp_path, 100, 50)
    data = datamodule(tmp_path)
    assert sizes(data) == {"train": 36, "val": 4, "test": 10}
    assert data.splits["train"].y is None
    assert (data.splits["train"].x == 100).all()


def test_image_folder_labels_images_by_their_directory(tmp_path):
    for k, name in enumerate(("cat", "dog", "bird/blue")):
        write_images(tmp_path / name, 50 * k, 10)
    data = datamodule(tmp_path, num_classes=3)
    assert data.label_names == ["bird/blue", "cat", "dog"]
    for x, y in data.splits.values():
        gray = torch.tensor([100, 0, 50])[y]
        assert torch.equal(x[:, 0, 0, 0].long(), gray)
    assert {int(k) for split in data.splits.values() for k in split.y} == {0, 1, 2}


def test_image_folder_uses_directories_of_splits(tmp_path):
    for split, n in (("train", 20), ("test", 6)):
        for k, name in enumerate(("cat", "dog")):
            write_images(tmp_path / split / name, 50 * k, n)
    data = datamodule(tmp_path)
    assert sizes(data) == {"train": 36, "val": 4, "test": 12}
    assert data.label_names == ["cat", "dog"]
    write_images(tmp_path / "val" / "cat", 0, 3)
    assert sizes(datamodule(tmp_path)) == {"train": 40, "val": 3, "test": 12}


def test_image_folder_accepts_mixed_sizes_modes_and_formats(tmp_path):
    for mode, suffix in (("RGB", "jpg"), ("L", "png"), ("RGBA", "PNG"), ("CMYK", "tif"), ("P", "gif"), ("RGB", "webp")):
        for side in (5, 30):
            Image.new("RGB", (side, side + 7), "white").convert(mode).save(tmp_path / f"{mode}{side}.{suffix}")
    (tmp_path / "notes.txt").write_text("not an image")
    data = datamodule(tmp_path, test_fraction=0.5)
    assert sum(sizes(data).values()) == 12
    assert all((split.x > 240).all() for split in data.splits.values())


def test_image_folder_rebuilds_the_cache_when_images_are_added(tmp_path):
    write_images(tmp_path, 100, 10)
    assert sum(sizes(datamodule(tmp_path)).values()) == 10
    write_images(tmp_path / "more", 100, 5)
    assert sum(sizes(datamodule(tmp_path)).values()) == 15


def test_image_folder_reports_missing_few_and_damaged_images(tmp_path):
    with pytest.raises(UserError, match=r"data.root=.*nowhere: no such directory"):
        datamodule(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no images \(.bmp, .gif"):
        datamodule(tmp_path)
    write_images(tmp_path, 0, 1)
    with pytest.raises(UserError, match=r"1 images are too few to split"):
        datamodule(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"not a JPEG")
    write_images(tmp_path, 0, 9)
    with pytest.raises(
        UserError, match=r"1 of 10 images cannot be decoded, first .*broken.jpg \(cannot identify image file\)"
    ):
        datamodule(tmp_path)
    assert sum(sizes(datamodule(tmp_path, skip_corrupt=True)).values()) == 9
