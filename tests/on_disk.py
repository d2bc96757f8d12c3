"""Fixtures: small datasets on disk, in the official formats."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_lightning.data.dsprites import FILE

ATTRIBUTES = ["Bald", "Eyeglasses", "Male", "Smiling"]


def face(i: int) -> np.ndarray:
    """Return image i of 178 x 218 pixels. Red and green encode i; blue is brighter in the center than at the border."""
    image = np.zeros((218, 178, 3), dtype=np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 2 * i, 255 - 2 * i, 40
    image[50:168, 30:148, 2] = 200
    return image


def has_attribute(i: int, attribute: int) -> bool:
    """Return whether image i has an attribute: whether that bit of i is set."""
    return bool((i >> attribute) & 1)


@pytest.fixture
def celeba(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes n images of CelebA in one of its layouts, and returns their root."""

    def make(layout: str = "official", n: int = 50) -> Path:
        root = tmp_path / layout
        images = root / {
            "kaggle": "img_align_celeba/img_align_celeba",
            "png": "celeba/img_align_celeba_png",
            "google_drive": "Img/img_align_celeba",
            "google_drive_zip": "CelebA/Img/img_align_celeba",
        }.get(layout, "celeba/img_align_celeba")
        images.mkdir(parents=True)
        names = [f"{i + 1:06}.jpg" for i in range(n)]
        suffix = ".png" if layout == "png" else ".jpg"
        for i, name in enumerate(names):
            Image.fromarray(face(i)).save((images / name).with_suffix(suffix), quality=95)
        splits = [0 if i < 0.8 * n else 1 if i < 0.9 * n else 2 for i in range(n)]
        attributes = [[1 if has_attribute(i, a) else -1 for a in range(len(ATTRIBUTES))] for i in range(n)]
        if layout == "kaggle":
            table = [f"{name},{split}" for name, split in zip(names, splits, strict=True)]
            (root / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *table]) + "\n")
            table = [",".join([name, *map(str, row)]) for name, row in zip(names, attributes, strict=True)]
            text = "\n".join([",".join(["image_id", *ATTRIBUTES]), *table]) + "\n"
            (root / "list_attr_celeba.csv").write_text(text, encoding="utf-8-sig")  # as a spreadsheet saves it
            return root
        separate = images.parent.name == "Img"
        anno, evaluation = (images.parent.parent / name if separate else images.parent for name in ("Anno", "Eval"))
        for folder in (anno, evaluation):
            folder.mkdir(exist_ok=True)
        table = [f"{name} {split}" for name, split in zip(names, splits, strict=True)]
        (evaluation / "list_eval_partition.txt").write_text("\n".join(table) + "\n")
        rows = zip(names, attributes, strict=True)
        table = [f"{name} " + " ".join(f"{value:2}" for value in row) for name, row in rows]
        (anno / "list_attr_celeba.txt").write_text("\n".join([str(n), " ".join(ATTRIBUTES), *table]) + "\n")
        if layout.endswith("zip"):
            zip_directory(images, images.with_suffix(".zip"), "img_align_celeba")
        return root

    return make


def zip_directory(directory: Path, path: Path, prefix: str) -> None:
    """Move the files of a directory into a zip file."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(directory.iterdir()):
            archive.write(file, f"{prefix}/{file.name}")
            file.unlink()
    directory.rmdir()


SIZES = (3, 2, 4, 5, 6)  # number of values of each factor but color


@pytest.fixture
def dsprites_root(tmp_path: Path) -> Path:
    """Return the directory of a small dSprites in its official format; the first pixels of image i are its bits."""
    n = int(np.prod(SIZES))
    images = np.zeros((n, 64, 64), np.uint8)
    images[:, 0, :10] = (np.arange(n)[:, None] >> np.arange(10)) & 1
    factors = np.stack(np.unravel_index(np.arange(n), (1, *SIZES)), axis=1)
    np.savez_compressed(tmp_path / FILE, imgs=images, latents_classes=factors, latents_values=factors.astype(float))
    return tmp_path
