"""Tests of CelebA in each layout in which it is distributed, complete and damaged."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.data import CelebADataModule
from vae_lightning.data.celeba import download
from vae_lightning.data.celeba_annotations import read_annotations
from vae_lightning.data.celeba_layout import locate_celeba
from vae_lightning.errors import UserError

ATTRIBUTES = ["Bald", "Eyeglasses", "Male", "Smiling"]


def datamodule(root, **options) -> CelebADataModule:
    """Return a data module of small images."""
    defaults = {"root": str(root), "download": False, "attributes": ATTRIBUTES, "image_shape": [3, 16, 16]}
    return CelebADataModule(**{**defaults, **options})


def loaded(root, **options) -> CelebADataModule:
    """Return a data module that has read its images."""
    data = datamodule(root, **options)
    data.prepare_data()
    data.setup()
    return data


def as_parquet(root: Path) -> Path:
    """Write the images and annotations of the official layout to Parquet files; return their directory."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    names, splits, labels, label_names = read_annotations(locate_celeba(root))
    folder = root.parent / "hub"
    (folder / "data").mkdir(parents=True)
    for k, split in enumerate(("train", "valid", "test")):
        rows = np.flatnonzero(splits == k)
        images = [{"bytes": (root / "celeba" / names[i]).read_bytes(), "path": None} for i in rows]
        columns = {"image": images, "celeb_id": rows, **dict(zip(label_names, labels[rows].T == 1, strict=True))}
        file = folder / "data" / f"{split}-00000-of-00001.parquet"
        parquet.write_table(pyarrow.table(columns), file, row_group_size=16)
    return folder


def test_celeba_in_parquet_files_reports_damage(celeba):
    root = as_parquet(celeba())
    file = root / "data" / "valid-00000-of-00001.parquet"
    data = file.read_bytes()
    file.write_bytes(data[:-100])
    with pytest.raises(UserError, match=r"data=celeba: .*valid-00000-of-00001.parquet cannot be read \(.*Download it"):
        loaded(root)
    file.unlink()
    file.with_name("other.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"other.parquet is of no known split. Name it train-\*, valid-\* or test-\*"):
        loaded(root)


@pytest.mark.parametrize("layout", ["official", "zip", "kaggle", "png", "google_drive", "google_drive_zip", "parquet"])
def test_celeba_reads_the_same_images_from_every_layout(layout, celeba):
    data = loaded(as_parquet(celeba()) if layout == "parquet" else celeba(layout))
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 40, "val": 5, "test": 5}
    assert data.label_names == ATTRIBUTES
    start = 0
    for x, y in data.splits.values():
        assert x.dtype == torch.uint8
        assert x.shape[1:] == (3, 16, 16)
        i = torch.arange(start, start + len(x))
        assert (x[:, 0, 8, 8].int() - 2 * i).abs().max() <= 3  # JPEG is not exact
        assert torch.equal(y, torch.stack([(i >> a) & 1 for a in range(4)], dim=1))
        start += len(x)


def test_celeba_reads_the_annotations_in_kaggles_archive(celeba):
    root = celeba("kaggle")
    with zipfile.ZipFile(root / "archive.zip", "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.suffix in (".jpg", ".csv"):
                archive.write(file, file.relative_to(root))
                file.unlink()
    data = loaded(root)
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 40, "val": 5, "test": 5}
    assert data.splits["test"].y.shape == (5, 4)


def test_parquet_files_without_attributes_are_unlabeled(celeba):
    from pyarrow import parquet

    root = as_parquet(celeba())
    for path in (root / "data").iterdir():
        parquet.write_table(parquet.read_table(path, columns=["image"]), path)
    data = loaded(root)
    assert len(data.splits["train"].x) == 40
    assert data.splits["train"].y is None


def test_images_directly_in_root_are_decoded_once(celeba):
    root = celeba() / "celeba"
    for path in [*(root / "img_align_celeba").iterdir()]:
        path.rename(root / path.name)
    for _ in range(2):
        loaded(root)
    assert len(list((root / "cache").glob("celeba-*"))) == 1


def test_celeba_selects_attributes_by_name(celeba):
    root = celeba()
    loaded(root)
    data = loaded(root, attributes=["Smiling", "Bald"])
    assert len(list((root / "cache").glob("celeba-*"))) == 1  # the same images, decoded once
    assert data.label_names == ["Smiling", "Bald"]
    i = torch.arange(40)
    assert torch.equal(data.splits["train"].y, torch.stack([(i >> 3) & 1, i & 1], dim=1))
    with pytest.raises(UserError, match=r"data.attributes=Smilin: no such attribute. The attributes are Bald, Eyeg"):
        loaded(root, attributes=["Smilin"])
    assert loaded(root, attributes=[]).splits["train"].y is None


def test_celeba_crop_is_a_box_or_a_centered_square(celeba):
    """The bright center is the box of a paper. The usual square of 148 pixels shows 15 more pixels on each side."""
    root = celeba()
    paper = loaded(root, crop=[30, 50, 148, 168], image_shape=[3, 118, 118]).splits["train"].x
    assert paper[:, 2].min() > 120  # JPEG blurs the edges
    usual = loaded(root, image_shape=[3, 148, 148]).splits["train"].x[0, 2]
    bright = (usual > 120).nonzero()
    assert (bright.amin(0) - 15).abs().max() <= 1
    assert (bright.amax(0) - (15 + 117)).abs().max() <= 1
    with pytest.raises(UserError, match=r"crop \[0, 0, 200, 200\] does not fit an image of 178 x 218"):
        loaded(root, crop=[0, 0, 200, 200])


def test_celeba_decodes_images_once(celeba, monkeypatch):
    root = celeba()
    first = loaded(root).splits["train"].x
    monkeypatch.setattr("vae_lightning.data.cache.decode_chunk", None)
    assert torch.equal(loaded(root).splits["train"].x, first)


def test_celeba_uses_another_cache_for_another_size_crop_or_source(celeba):
    root = celeba()
    loaded(root)
    loaded(root, image_shape=[3, 8, 8])
    loaded(root, crop=100)
    Image.fromarray(np.zeros((218, 178, 3), np.uint8)).save(root / "celeba/img_align_celeba/000001.jpg")
    assert loaded(root).splits["train"].x[0].max() == 0
    assert len(list((root / "cache").glob("celeba-*"))) == 4


def test_celeba_without_annotations_warns_and_has_no_labels(celeba, caplog):
    root = celeba()
    for path in (root / "celeba").glob("list_*"):
        path.unlink()
    data = loaded(root)
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 40, "val": 5, "test": 5}
    assert data.splits["train"].y is None
    assert data.num_classes is None
    (manifest,) = (root / "cache").glob("celeba-*/manifest.json")
    assert json.loads(manifest.read_text())["split"] == "by order, 80%, 10%, 10%"
    assert "80% for training, 10% for validation, 10% for testing" in caplog.text
    assert "the images are unlabeled" in caplog.text


def test_celeba_without_images_reports_which_files_to_download(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no images under .*. Put these there, or set data.root: img_align_celeba.zip"):
        datamodule(tmp_path).prepare_data()

    def raise_quota_error(*_, **__):
        raise RuntimeError("Too many users have viewed or downloaded this file\nrecently")

    monkeypatch.setattr("vae_lightning.data.celeba.find_spec", lambda name: None)
    assert download(tmp_path) == "gdown is not installed; run pip install 'vae-lightning[download]'"
    monkeypatch.setattr("vae_lightning.data.celeba.find_spec", lambda name: name)
    monkeypatch.setattr("torchvision.datasets.CelebA", raise_quota_error)
    with pytest.raises(UserError, match=r"the download failed \(Too many users .* recently\). Put these there: img"):
        datamodule(tmp_path, download=True).prepare_data()
    assert "Too many users" in download(tmp_path)
    assert list(tmp_path.iterdir()) == []


def replace_line(path, line: int, text: str) -> None:
    """Replace one line of a text file."""
    lines = path.read_text().splitlines()
    lines[line] = text
    path.write_text("\n".join(lines) + "\n")


def test_celeba_reports_a_truncated_zip_file(celeba):
    root = celeba("zip")
    path = root / "celeba" / "img_align_celeba.zip"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(
        UserError,
        match=r"img_align_celeba.zip is not a complete zip file \(File is not a zip file\). .*Download it",
    ):
        loaded(root)


def test_celeba_reports_a_damaged_image_in_a_zip_file(celeba):
    root = celeba("zip")
    path = root / "celeba" / "img_align_celeba.zip"
    data = bytearray(path.read_bytes())
    data[300] ^= 255
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"1 of 50 images in .* cannot be decoded: .*000001.jpg \(Bad CRC-32"):
        loaded(root)


def test_celeba_reports_images_that_are_only_in_the_partition(celeba):
    root = celeba()
    (root / "celeba/img_align_celeba/000003.jpg").unlink()
    with pytest.raises(UserError, match=r"list_eval_partition.txt names 1 images that are not in .* 000003"):
        loaded(root)
    assert not list((root / "cache").glob("celeba-*"))


def test_celeba_reports_images_that_are_not_in_the_partition(celeba):
    root = celeba()
    Image.fromarray(np.zeros((218, 178, 3), np.uint8)).save(root / "celeba/img_align_celeba/000999.jpg")
    with pytest.raises(UserError, match=r"list_eval_partition.txt lacks 1 images of .*, first 000999"):
        loaded(root)


def test_celeba_reports_an_invalid_line_of_the_partition(celeba):
    root = celeba()
    replace_line(root / "celeba/list_eval_partition.txt", 6, "000007.jpg 3")
    with pytest.raises(UserError, match=r"line 7 of .*list_eval_partition.txt is '000007.jpg 3', not an image and 0"):
        loaded(root)


def test_celeba_reports_a_line_with_a_missing_attribute(celeba):
    root = celeba()
    replace_line(root / "celeba/list_attr_celeba.txt", 4, "000003.jpg  1 -1  1")
    with pytest.raises(UserError, match=r"line 5 of .*list_attr_celeba.txt has 3 attributes, not 4"):
        loaded(root)


def test_celeba_reports_an_empty_attribute_file(celeba):
    root = celeba()
    (root / "celeba/list_attr_celeba.txt").write_text("")
    with pytest.raises(UserError, match=r"list_attr_celeba.txt has no table"):
        loaded(root)


def test_celeba_reports_or_skips_images_that_cannot_be_decoded(celeba, caplog):
    root = celeba()
    for i in (3, 45):
        path = root / f"celeba/img_align_celeba/{i:06}.jpg"
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(
        UserError, match=r"2 of 50 images in .* cannot be decoded: .*000003.jpg .*data.skip_corrupt=true"
    ):
        loaded(root)
    data = loaded(root, skip_corrupt=True)
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 39, "val": 4, "test": 5}
    assert "skipping these images, which are listed in" in caplog.text
    (manifest,) = (root / "cache").glob("celeba-*/manifest.json")
    assert "000045.jpg" in manifest.read_text()
    i = torch.tensor([i for i in range(50) if i not in (2, 44)])
    x = torch.cat([split.x for split in data.splits.values()])
    assert (x[:, 0, 8, 8].int() - 2 * i).abs().max() <= 3
    assert torch.equal(torch.cat([split.y for split in data.splits.values()])[:, 0], i & 1)
