"""Tests of decoding images of any format and mode: rotation, cropping and resizing."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

from vae_lightning.io.image_decoding import convert_mode, crop_box, decode


def decoded(data: bytes, image_shape, crop=None, suffix="") -> np.ndarray:
    """Return the pixels of an image file."""
    return decode(data, image_shape, crop, suffix).pixels


def encoded(image: Image.Image, file_format: str = "PNG", **options) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


RED = np.zeros((6, 4, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


def test_decode_returns_channels_first():
    x = decoded(encoded(Image.fromarray(RED)), (3, 6, 4))
    assert x.dtype == np.uint8
    assert x.shape == (3, 6, 4)
    assert np.array_equal(x.transpose(1, 2, 0), RED)


def test_decode_grayscale_is_luminance():
    assert (decoded(encoded(Image.fromarray(RED)), (1, 6, 4)) == 76).all()  # ITU-R 601: 0.299 · 255


GRAY = np.arange(24, dtype=np.uint8).reshape(6, 4) * 10
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY], axis=-1)


def lab(image: Image.Image) -> Image.Image:
    srgb, cielab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(image, srgb, cielab, outputMode="LAB")


@pytest.mark.parametrize(
    ("mode", "file_format", "tolerance"),
    [
        *(("RGB", file_format, 0) for file_format in ("BMP", "PNG", "PPM", "SGI", "TGA", "TIFF")),
        *(("RGBA", file_format, 0) for file_format in ("PNG", "TGA", "TIFF")),
        *(("RGBX", "TIFF", 0), ("CMYK", "TIFF", 0), ("YCbCr", "TIFF", 2), ("LAB", "TIFF", 3)),
    ],
)
def test_decode_color_modes(mode, file_format, tolerance):
    image = Image.fromarray(COLOR)
    converted = lab(image) if mode == "LAB" else image.convert(mode)
    x = decoded(encoded(converted, file_format), (3, 6, 4), suffix=f".{file_format}")
    assert np.abs(x.transpose(1, 2, 0).astype(int) - COLOR).mean() <= tolerance


@pytest.mark.parametrize(
    ("values", "file_format"),
    [
        (GRAY, "PNG"),
        (GRAY, "TIFF"),
        (GRAY.astype(np.uint16) * 256 + 77, "PNG"),
        (GRAY.astype(np.uint16) * 256 + 77, "PPM"),
        (GRAY.astype("<u2") * 256 + 77, "TIFF"),
        (GRAY.astype(np.int32), "TIFF"),
        (GRAY.astype(np.float32) / 255, "TIFF"),
    ],
)
def test_decode_gray_modes(values, file_format):
    assert np.array_equal(decoded(encoded(Image.fromarray(values), file_format), (1, 6, 4))[0], GRAY)
    assert np.array_equal(decoded(encoded(Image.fromarray(values), file_format), (3, 6, 4))[2], GRAY)


def test_decode_big_endian_16_bit_tiff():
    image = Image.frombytes("I;16B", (4, 6), (GRAY.astype("u2") * 256).astype(">u2").tobytes())
    assert np.array_equal(decoded(encoded(image, "TIFF"), (1, 6, 4))[0], GRAY)


@pytest.mark.parametrize("values", [GRAY, GRAY.astype(np.uint16) * 256 + 77, GRAY.astype(np.float32) / 255])
def test_decode_tiff_in_which_0_is_white(values):
    data = encoded(Image.fromarray(values), "TIFF")
    tag = struct.pack("<HHIH", 262, 3, 1, 1)  # the photometric interpretation: 1 for black is zero
    assert data.count(tag) == 1
    data = data.replace(tag, struct.pack("<HHIH", 262, 3, 1, 0))
    assert np.array_equal(decoded(data, (1, 6, 4))[0], 255 - GRAY)
    assert np.array_equal(decoded(data, (3, 6, 4))[2], 255 - GRAY)


def test_decode_palette_and_black_and_white():
    palette = Image.fromarray(COLOR).quantize(24)
    assert np.array_equal(decoded(encoded(palette), (3, 6, 4)).transpose(1, 2, 0), np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(GRAY > 100)
    assert np.array_equal(decoded(encoded(bits), (1, 6, 4))[0], (GRAY > 100) * 255)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0, 70_000]], np.int32),
        np.array([[0, 256]], np.int32),
        np.array([[-1, 255]], np.int32),
        np.array([[0, 200]], np.float32),
        np.array([[-0.1, 1]], np.float32),
        np.array([[0, np.nan]], np.float32),
    ],
)
def test_decode_rejects_32_bit_values_of_unknown_range(values):
    with pytest.raises(ValueError, match=r"32-bit gray values from \S+ to \S+, not from 0 to"):
        decode(encoded(Image.fromarray(values), "TIFF"), (1, 1, 2), None)


@pytest.mark.parametrize("mode", ["LA", "La", "RGBA", "RGBa", "PA"])
def test_convert_mode_blends_transparency_with_white(mode):
    straight = Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8), "LA")
    image = {"LA": straight, "La": straight.convert("La")}.get(mode) or straight.convert("RGBA").convert(mode)
    assert np.abs(np.asarray(convert_mode(image, "L")).astype(int) - [[200, 255]]).max() <= 1


@pytest.mark.parametrize(
    ("image", "color"),
    [
        (Image.fromarray(np.array([[9, 200]], np.uint8)), 9),
        (Image.fromarray(np.array([[9, 200]], np.uint16) * 256), 9 * 256),
        (Image.fromarray(np.array([[[9, 9, 9], [200, 200, 200]]], np.uint8)), (9, 9, 9)),
    ],
)
def test_decode_turns_the_transparent_color_of_a_png_white(image, color):
    assert decoded(encoded(image, transparency=color), (1, 1, 2)).tolist() == [[[255, 200]]]


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_decode_uses_the_first_of_several_images(file_format):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue", "white")]
    options = {"lossless": True} if file_format == "WEBP" else {}
    image = decode(encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options), (3, 4, 4), None)
    assert image.is_first_of_several
    assert image.pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert not decode(encoded(frames[0], file_format, **options), (3, 4, 4), None).is_first_of_several


def test_decode_turns_transparency_white():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (decoded(encoded(clear), (3, 4, 4)) == 255).all()


def test_decode_rotates_by_the_exif_orientation():
    image = Image.fromarray(np.concatenate([np.zeros((8, 16), np.uint8), np.full((8, 16), 255, np.uint8)], axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise by 90 degrees
    x = decoded(encoded(image, "JPEG", exif=exif, quality=100), (1, 32, 8))
    assert x[0, :8].mean() < 5
    assert x[0, -8:].mean() > 250


def test_crop_box_is_a_box_a_centered_square_or_the_image():
    assert crop_box((178, 218), [30, 50, 148, 168]) == (30, 50, 148, 168)
    assert crop_box((178, 218), 148) == (15, 35, 163, 183)
    assert crop_box((178, 218), "square") == (0, 20, 178, 198)
    assert crop_box((178, 218), None) == (0, 0, 178, 218)
    for crop in (179, [0, 0, 10, 219], [-1, 0, 10, 10]):
        with pytest.raises(ValueError, match="does not fit an image of 178 x 218"):
            crop_box((178, 218), crop)
    for crop in (0, [0, 0, 0, 5], [10, 20, 20, 10]):
        with pytest.raises(ValueError, match="has no area"):
            crop_box((178, 218), crop)


def test_decode_of_a_large_jpeg_is_accurate():
    """JPEG images are decoded at a fraction of their size."""
    ramp = np.linspace(0, 255, 2000).astype(np.uint8)[None].repeat(1500, axis=0)
    x = decoded(encoded(Image.fromarray(ramp), "JPEG"), (1, 8, 8), "square")[0, 0]
    expected = 255 * (250 + 1500 * (np.arange(8) + 0.5) / 8) / 2000
    assert np.abs(x - expected).max() < 4


def test_only_files_with_the_suffix_of_tga_are_read_as_tga():
    """TGA files have no signature, so damaged files of other formats could be taken for one."""
    data = encoded(Image.fromarray(RED), "TGA")
    assert decoded(data, (3, 6, 4), suffix=".tga").shape == (3, 6, 4)
    with pytest.raises(UnidentifiedImageError):
        decoded(data, (3, 6, 4), suffix=".png")
