"""Tests of a directory of images."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.data import ImageFolderDataModule, image_folder
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


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_image_folder_without_a_directory_for_testing_holds_out_training_images(tmp_path, name):
    for k, label in enumerate(("cat", "dog")):
        write_images(tmp_path / "train" / label, 50 * k, 20)
        write_images(tmp_path / name / label, 50 * k, 3)
    data = datamodule(tmp_path)
    assert sizes(data) == {"train": 32, "val": 6, "test": 8}
    assert data.label_names == ["cat", "dog"]


def test_image_folder_rejects_images_beside_the_directories_of_splits(tmp_path):
    for split in ("train", "test", "extra"):
        write_images(tmp_path / split, 0, 10)
    with pytest.raises(UserError, match=r"extra/0.png is in none of the directories train, val and test. Move it"):
        datamodule(tmp_path)


def test_image_folder_class_may_be_named_like_a_split(tmp_path):
    for name in ("test", "quiz"):
        write_images(tmp_path / name, 0, 10)
    assert datamodule(tmp_path).label_names == ["quiz", "test"]


def test_image_folder_follows_links_but_not_in_circles(tmp_path, caplog):
    write_images(tmp_path / "elsewhere" / "dog", 50, 10)
    write_images(tmp_path / "photos" / "cat", 0, 10)
    (tmp_path / "photos" / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    (tmp_path / "photos" / "cat" / "loop").symlink_to(tmp_path / "photos")
    (tmp_path / "elsewhere" / "dog" / "loop").symlink_to(tmp_path / "photos" / "cat")
    data = datamodule(tmp_path / "photos")
    assert data.label_names == ["cat", "dog", "dog/loop"]
    (tmp_path / "photos" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"contains broken links \(broken.png\). Remove them, or set data.skip_cor"):
        datamodule(tmp_path / "photos")
    assert sizes(datamodule(tmp_path / "photos", skip_corrupt=True)) == sizes(data)
    assert "skipping 1 broken links (broken.png)" in caplog.text


def test_image_folder_rejects_a_pipe(tmp_path):
    write_images(tmp_path, 0, 10)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match=r"pipe.png: not a regular file. Remove it"):
        datamodule(tmp_path)


def test_image_folder_ignores_hidden_files_and_those_of_operating_systems(tmp_path, caplog):
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 0, 10)
        (tmp_path / name / "._0.png").write_bytes(b"resource fork")
        (tmp_path / name / "Thumbs.db").write_bytes(b"thumbnails")
    for name in ("__MACOSX", ".ipynb_checkpoints", "cat/.ipynb_checkpoints"):
        write_images(tmp_path / name, 0, 2)
    data = datamodule(tmp_path)
    assert data.label_names == ["cat", "dog"]
    assert sum(sizes(data).values()) == 20
    assert not caplog.records


def test_image_folder_counts_files_that_are_not_images(tmp_path, caplog):
    write_images(tmp_path, 0, 10)
    for name in ("README", "a.json", "b.json"):
        (tmp_path / name).write_text("")
    datamodule(tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"data.root={tmp_path}: 3 files are not images (.json, README)"
    ]


def test_image_folder_reports_files_with_several_images(tmp_path, caplog):
    write_images(tmp_path, 0, 10)
    frames = [Image.new("L", (8, 8), gray) for gray in (0, 255)]
    frames[0].save(tmp_path / "stack.tif", save_all=True, append_images=frames[1:])
    data = datamodule(tmp_path)
    assert all((split.x == 0).all() for split in data.splits.values())
    assert "1 of 11 files contain several images, such as" in caplog.text
    assert "stack.tif; using the first of each" in caplog.text


def test_image_folder_rebuilds_the_cache_when_images_are_moved(tmp_path):
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 0, 10)
    datamodule(tmp_path)
    (tmp_path / "cat").rename(tmp_path / "bird")
    assert datamodule(tmp_path).label_names == ["bird", "dog"]


def test_image_folder_drops_a_class_whose_images_are_all_corrupt(tmp_path):
    for k, name in enumerate(("ant", "cat", "dog")):
        write_images(tmp_path / name, 50 * k, 10)
    for path in (tmp_path / "ant").iterdir():
        path.write_bytes(b"not a PNG")
    data = datamodule(tmp_path, skip_corrupt=True)
    assert data.label_names == ["cat", "dog"]
    for x, y in data.splits.values():
        assert torch.equal(x[:, 0, 0, 0].long(), torch.tensor([50, 100])[y])


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
    with pytest.raises(UserError, match=r"no images \(.apng, .avif, .bmp"):
        datamodule(tmp_path)
    write_images(tmp_path, 0, 1)
    with pytest.raises(
        UserError, match=r"data.test_fraction=0.2: of 1 images, none would be left for testing. Add images"
    ):
        datamodule(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"not a JPEG")
    write_images(tmp_path, 0, 9)
    with pytest.raises(
        UserError,
        match=r"1 of 10 images in .* cannot be decoded: broken.jpg \(not an image of a format that is read",
    ):
        datamodule(tmp_path)
    assert sum(sizes(datamodule(tmp_path, skip_corrupt=True)).values()) == 9


def test_image_folder_names_up_to_five_damaged_images(tmp_path):
    write_images(tmp_path, 0, 10)
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(b"not a PNG")
    with pytest.raises(
        UserError, match=r"6 of 10 images in .*: [0-5].png( \([^)]*\), [0-5].png){4} \([^)]*\), \.\.\.\. Repl"
    ):
        datamodule(tmp_path)


def test_image_folder_names_images_above_the_limit_of_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    write_images(tmp_path, 0, 10)  # 240 pixels each, of which Pillow warns
    assert sum(sizes(datamodule(tmp_path)).values()) == 10
    write_images(tmp_path, 0, 1, size=(21, 20))
    with pytest.raises(UserError, match=r"cannot be decoded: 0.png \(more than 400 pixels, the limit of Pillow\)"):
        datamodule(tmp_path)


def test_image_folder_reads_files_whose_names_are_not_utf8(tmp_path, caplog):
    for name in ("cat", "caf\udce9"):
        write_images(tmp_path / name, 0, 10)
    (tmp_path / "cat" / "\udce9.png").write_bytes(b"not a PNG")
    data = datamodule(tmp_path, skip_corrupt=True)
    assert data.label_names == [r"caf\xe9", "cat"]
    assert sum(sizes(data).values()) == 20
    assert r"cat/\udce9.png (not an image" in caplog.text


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ["dataset/train/cat", "dataset/test/cat"],
            "{root}: the directory dataset/train is read as a class. If it is a split, set data.root={root}/dataset,",
        ),
        (
            ["dataset/Training", "dataset/test"],
            "{root}: the directory dataset/Training is read as a class. If it is a sp",
        ),
        (
            ["train/cat", "testing/cat"],
            "{root}: the directory train is read as a class. If it is a split, put images for",
        ),
        (
            ["train/cat", "train/dog"],
            "{root}: the directory train is read as a class. If it is a split, put images for",
        ),
        (
            ["train", "testing"],
            "{root}: the directory train is read as a class. If it is a split, put images for testing",
        ),
        (["train", "truck"], None),
        (["test", "quiz"], None),
        (["train/cat", "test/dog"], None),
        (
            ["cat", "."],
            "{root}: 10 images, such as 0.png, are in no class directory, so all are unlabeled. Move them into",
        ),
        (
            ["train/cat", "train/dog", "test"],
            "{root}: 10 images, such as test/0.png, are in no class directory, so all",
        ),
        (["."], None),
    ],
)
def test_image_folder_warns_about_misread_directories(classes, message, tmp_path, caplog):
    for name in classes:
        write_images(tmp_path / name, 0, 10)
    datamodule(tmp_path)
    expected = [] if message is None else [message.format(root=tmp_path)]
    assert [record.getMessage()[len("data.root=") :][: len(expected[0])] for record in caplog.records] == expected


def test_image_folder_warns_about_directories_that_are_read_twice(tmp_path, caplog):
    for name in ("a", "c"):
        write_images(tmp_path / name, 0, 10)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    datamodule(tmp_path)
    (record,) = caplog.records
    assert "a and b are the same directory, so its images are read 2 times" in record.getMessage()


def test_directories_of_splits_are_looked_for_once(tmp_path, monkeypatch):
    for split in ("train", "test"):
        write_images(tmp_path / split / "cats", 100, 10)
    calls = []
    monkeypatch.setattr(image_folder, "has_split_folders", lambda names: calls.append(len(names)) or True)
    assert datamodule(tmp_path).num_classes is None
    assert calls == [20, 20]  # for the splits, and for the classes
