"""Tests of odd images and odd directories: each file is decoded correctly, rejected by name, or counted as no image.

`make fuzz` tries more directories.
"""

import json
import os
import random
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps
from torchvision.io import ImageReadMode, decode_image

from vae_lightning.data import ImageFolderDataModule
from vae_lightning.errors import UserError
from vae_lightning.io.image_decoding import decode

TORCHVISION = pytest.mark.filterwarnings("ignore:The image decoding and encoding capabilities of TorchVision")
ROUNDS = int(os.environ.get("FUZZ", "1"))
LOSSY = {"AVIF": 8, "JPEG": 8, "JPEG2000": 8, "WEBP": 12}  # format -> mean error of 8-bit values
EXACT = ("BMP", "DDS", "GIF", "ICO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF")
COLOR = np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).astype(np.uint8) * 12 + 30
COLOR = np.concatenate([COLOR, 255 - COLOR[..., :1]], axis=-1)  # smooth, so that lossy formats are nearly exact
GRAY = COLOR[..., 0]
RGB_MODES = ("RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV", "P", "PA")
GRAY_MODES = ("L", "LA", "La", "1", "I", "I;16", "I;16B", "I;16L", "F")
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
DEEP_FORMATS = ("JPEG2000", "PNG", "PPM", "TIFF")  # Pillow clips such values when it saves them in the others
NOT_SAVED = (("I", "PPM"), ("I;16B", "JPEG2000"))  # Pillow multiplies by 257 or swaps the bytes of what it saves


def convert(mode: str) -> tuple[Image.Image, np.ndarray]:
    """Return an image in a mode of Pillow, and the RGB values that it shows, (16, 16, 3)."""
    gray = GRAY.astype(np.uint16) * 256
    match mode:
        case "LAB":
            srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
            return ImageCms.profileToProfile(Image.fromarray(COLOR), srgb, lab, outputMode="LAB"), COLOR
        case "I;16" | "I;16L":
            image = Image.frombytes(mode, (16, 16), gray.astype("<u2").tobytes())
        case "I;16B":
            image = Image.frombytes(mode, (16, 16), gray.astype(">u2").tobytes())
        case "I":
            image = Image.fromarray(GRAY.astype(np.int32))
        case "F":
            image = Image.fromarray(GRAY.astype(np.float32) / 255)
        case "1":
            return Image.fromarray(GRAY > 100), np.repeat((GRAY > 100)[..., None] * np.uint8(255), 3, axis=-1)
        case "P" | "PA":
            image = Image.fromarray(COLOR).quantize(256, dither=Image.Dither.NONE)
            return image.convert(mode), np.asarray(image.convert("RGB"))
        case "RGBa" | "La":
            image = Image.fromarray(COLOR if mode == "RGBa" else GRAY).convert(mode.upper()).convert(mode)
        case _:
            image = Image.fromarray(COLOR if mode in RGB_MODES else GRAY).convert(mode)
    return image, COLOR if mode in RGB_MODES else np.repeat(GRAY[..., None], 3, axis=-1)


def encode(image: Image.Image, file_format: str) -> bytes | None:
    """Return an image file, or None if the format has no such mode."""
    file = BytesIO()
    try:
        image.save(file, file_format, quality=95)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return file.getvalue()


@pytest.mark.parametrize("file_format", [*EXACT, *LOSSY])
def test_every_mode_in_every_format(file_format):
    num_decoded = 0
    for mode in (*RGB_MODES, *GRAY_MODES):
        image, expected = convert(mode)
        data = encode(image, file_format)
        if data is None or (mode in DEEP and file_format not in DEEP_FORMATS) or (mode, file_format) in NOT_SAVED:
            continue
        pixels = decode(data, (3, 16, 16), None, f".{file_format.lower()}").pixels
        tolerance = LOSSY.get(file_format, 3 if mode in ("YCbCr", "LAB", "CMYK", "HSV") else 1)
        tolerance += 10 * (file_format == "GIF")  # few colors
        assert np.abs(pixels.transpose(1, 2, 0).astype(int) - expected).mean() <= tolerance, mode
        num_decoded += 1
    assert num_decoded >= 1


@TORCHVISION
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_equals_torchvision(file_format, mode):
    data = encode(convert(mode)[0], file_format)
    if data is None:
        assert (mode, file_format) == ("P", "JPEG")  # the only combination that cannot be written
        return
    expected = decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
    expected = expected[0] if expected.dim() == 4 else expected
    assert np.abs(decode(data, (3, 16, 16), None).pixels.astype(int) - expected.numpy()).max() <= 2


@TORCHVISION
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_equals_torchvision(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = BytesIO()
    Image.fromarray(COLOR[:10]).save(file, "JPEG", exif=exif, quality=100)
    data = torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
    expected = decode_image(data, ImageReadMode.RGB, apply_exif_orientation=True).numpy()
    assert np.abs(decode(file.getvalue(), expected.shape, None).pixels.astype(int) - expected).max() <= 2
    assert ImageOps.exif_transpose(Image.open(file)).size == expected.shape[:0:-1]


def write_gray(path: Path, gray: int) -> None:
    """Write an image that is filled with a gray value, in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 100} if path.suffix.lower() in (".jpg", ".jpeg", ".jfif") else {}
    Image.new("L", (9, 7), gray).save(path, **options)


def make_odd_directory(root: Path, rng: random.Random) -> tuple[dict[str, int], int, bool]:
    """Fill a directory with images and odd entries, some of them in directories of classes.

    Returns:
        The gray value of each image that should be found, by its class; the number of damaged images; and whether an
        entry must be rejected.
    """
    grays: dict[str, int] = {}
    num_images = num_damaged = 0
    must_fail = False
    elsewhere = root.parent / f"elsewhere-{root.name}"
    for k, name in enumerate(rng.sample(["cat", "Dog", "ünï cödé", "test", "a b", "new\nline", "x.png"], 3)):
        grays[name] = 40 * (k + 1)
        for n in range(rng.randint(4, 8)):
            suffix = rng.choice(
                [".png", ".PNG", ".jpg", ".JPEG", ".jfif", ".tif", ".bmp", ".webp", ".gif", ".pgm", ".tga"]
            )
            write_gray(root / name / f"{n}{suffix}", grays[name])
            num_images += 1
        for _ in range(rng.randint(0, 3)):
            folder, number = root / name, rng.randint(100, 10**6)
            match rng.randrange(9):
                case 0:
                    write_gray(folder / f".{number}.png", 255)
                case 1:
                    write_gray(folder / ".ipynb_checkpoints" / f"{number}.png", 255)
                case 2:
                    write_gray(folder / "__MACOSX" / f"._{number}.png", 255)
                case 3:
                    (folder / f"{number}.txt").write_text("not an image")
                case 4:
                    (folder / f"{number}.png").write_bytes(rng.choice([b"", b"\x89PNG", b"GIF89a", rng.randbytes(50)]))
                    num_damaged += 1
                case 5:
                    write_gray(elsewhere / f"{number}.png", grays[name])
                    (folder / f"{number}.png").symlink_to(elsewhere / f"{number}.png")
                    num_images += 1
                case 6:
                    (folder / f"loop{number}").symlink_to(folder)
                case 7:
                    os.mkfifo(folder / f"{number}.jpg")
                    must_fail = True
                case 8:
                    (folder / f"{number}.jpg").symlink_to(root / "nowhere")
    return grays, num_images + num_damaged, must_fail


@pytest.mark.parametrize("seed", range(10 * ROUNDS))
def test_every_file_of_an_odd_directory_is_accounted_for(seed, tmp_path):
    root = tmp_path / str(seed)
    grays, num_files, must_fail = make_odd_directory(root, random.Random(seed))
    data = ImageFolderDataModule(root=str(root), image_shape=[1, 4, 4], skip_corrupt=True)
    if must_fail:
        with pytest.raises(UserError, match=r"not a regular file. Remove it."):
            data.prepare_data()
        return
    data.prepare_data()
    data.setup()
    (manifest,) = (root / "cache").glob("*/manifest.json")
    skipped = json.loads(manifest.read_text())["left_out"]
    assert sum(len(split.x) for split in data.splits.values()) + len(skipped) == num_files
    assert data.label_names == sorted(grays)
    for x, y in data.splits.values():
        expected = torch.tensor([grays[name] for name in data.label_names])[y]
        assert (x.flatten(1).float().mean(1) - expected).abs().max() <= 2
