"""Tests of decoding images of any format and mode: rotation, cropping and resizing."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vae_lightning.io.image_decoding import crop_box, decode


def encoded(image: Image.Image, file_format: str = "PNG", **options) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


RED = np.zeros((6, 4, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


def test_decode_returns_channels_first():
    x = decode(encoded(Image.fromarray(RED)), (3, 6, 4), None)
    assert x.dtype == np.uint8
    assert x.shape == (3, 6, 4)
    assert np.array_equal(x.transpose(1, 2, 0), RED)


def test_decode_grayscale_is_luminance():
    assert (decode(encoded(Image.fromarray(RED)), (1, 6, 4), None) == 76).all()  # ITU-R 601: 0.299 · 255


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16"])
def test_decode_accepts_every_mode(mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((6, 4), 65535, np.uint16))
    else:
        image = Image.new("RGB", (4, 6), "white").convert(mode)
    file_format = {"CMYK": "TIFF", "YCbCr": "TIFF"}.get(mode, "PNG")
    assert (decode(encoded(image, file_format), (3, 3, 2), None) >= 254).all()


def test_decode_scales_sixteen_bits_to_eight():
    image = Image.fromarray(np.full((6, 4), 128 * 256, np.uint16))
    assert (decode(encoded(image), (1, 6, 4), None) == 128).all()


def test_decode_turns_transparency_white():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (decode(encoded(clear), (3, 4, 4), None) == 255).all()


def test_decode_rotates_by_the_exif_orientation():
    image = Image.fromarray(np.concatenate([np.zeros((8, 16), np.uint8), np.full((8, 16), 255, np.uint8)], axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated clockwise by a quarter turn
    x = decode(encoded(image, "JPEG", exif=exif, quality=100), (1, 32, 8), None)
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


def test_decode_of_a_large_jpeg_is_accurate():
    """It is decoded at a fraction of its size."""
    ramp = np.linspace(0, 255, 2000).astype(np.uint8)[None].repeat(1500, axis=0)
    x = decode(encoded(Image.fromarray(ramp), "JPEG"), (1, 8, 8), "square")[0, 0]
    expected = 255 * (250 + 1500 * (np.arange(8) + 0.5) / 8) / 2000
    assert np.abs(x - expected).max() < 4
