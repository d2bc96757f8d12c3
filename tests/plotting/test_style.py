"""The common style of figures."""

import gc
import sys
import tracemalloc

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from vae_lightning import plotting
from vae_lightning.plotting import style

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def test_class_colors_are_distinct():
    """The palette has ten colors; more come from a colormap."""
    assert style.class_colors(3) == pytest.approx(np.array([to_rgb(color) for color in style.CLASS_COLORS[:3]]))
    assert len(np.unique(style.class_colors(40), axis=0)) == 40


# Machado et al. 2009: color vision without long-wave and without medium-wave cones
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


@pytest.mark.parametrize(
    ("vision", "least"), [(np.eye(3), 25), (PROTANOPIA, 11), (DEUTERANOPIA, 12)], ids=["normal", "prot", "deuter"]
)
def test_class_colors_differ_from_each_other_and_the_background(vision, least):
    """In CIE 1994 color difference, of which 1 is just noticeable. Those of tab10 are 12.4, 1.2 and 3.8."""
    colors = cielab(style.class_colors(10), vision)
    background = cielab(np.array([[1.0, 1, 1], [0, 0, 0]]), vision)
    for i, color in enumerate(colors):
        others = np.concatenate([np.delete(colors, i, axis=0), background])
        assert min(difference(color, other) for other in others) > least


def cielab(rgb: np.ndarray, vision: np.ndarray) -> np.ndarray:
    """Convert sRGB colors (N, 3) in [0, 1], as seen with a kind of color vision, to CIELAB."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(vision).T, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = seen @ to_xyz.T / to_xyz.sum(1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the CIE 1994 color difference of two CIELAB colors, the smaller of both directions."""
    chroma = sorted([np.hypot(*a[1:]), np.hypot(*b[1:])])
    dl, dc = a[0] - b[0], chroma[1] - chroma[0]
    dh2 = max(0.0, ((a - b)[1:] ** 2).sum() - dc**2)
    return min(np.sqrt(dl**2 + (dc / (1 + 0.045 * c)) ** 2 + dh2 / (1 + 0.015 * c) ** 2) for c in chroma)


def test_figures_are_freed():
    """Nothing keeps a reference to a figure, and pyplot does not know it. Tested with a hundred figures."""
    rates, rows = torch.rand(4), torch.rand(2, 2, 1, 4, 4)

    def draw(n: int) -> None:
        for _ in range(n):
            plotting.image_grid(rows, TITLE)
            plotting.rate_per_latent(rates, rates > 0.5, TITLE)

    def leaked_bytes() -> int:
        tracemalloc.start()
        draw(50)
        gc.collect()
        leaked, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return leaked

    draw(10)
    # A single figure takes more than half of the limit. A leak grows each time, but a cache is filled only once.
    assert min(leaked_bytes(), leaked_bytes()) < 200_000
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()


def test_characters_that_a_fallback_font_has_are_drawn(monkeypatch, tmp_path):
    """U+2312, an arc, is in STIX but not in DejaVu Sans, as Chinese is in fonts that are not part of matplotlib."""
    pixels = []
    for fonts in ((), ("not installed", "STIXGeneral")):
        style.font_families.cache_clear()
        monkeypatch.setattr(style, "FALLBACK_FONTS", fonts)
        figure = plotting.image_grid(torch.zeros(2, 1, 1, 2, 2), TITLE, row_labels=["\u2312", "猫"])
        style.save(figure, tmp_path / "a.png")  # without a warning, which would be an error
        pixels.append((tmp_path / "a.png").read_bytes())
    style.font_families.cache_clear()
    assert pixels[0] != pixels[1]


def test_style_does_not_change_global_parameters():
    before = matplotlib.rcParams["font.size"]
    plotting.image_grid(torch.rand(1, 1, 1, 2, 2), TITLE)
    assert matplotlib.rcParams["font.size"] == before == 10
