"""Tests of the formats and styles of figures."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from vae_lightning.config.schema import FIGURE_FORMATS, FIGURE_STYLES
from vae_lightning.figures.saving import FORMATS, save_figure
from vae_lightning.plotting import training_curves
from vae_lightning.plotting.style import STYLES, gray, styled, use_style

CURVES = {i: {"distortion": 100.0 / i, "rate": float(i), "warmup": min(1.0, i / 3)} for i in range(1, 6)}


def draw(style: str, folder, format: str = "png"):
    with use_style(style):
        figure = training_curves(CURVES, {}, "Training")
        return figure, save_figure(figure, folder, "curves", format)


def test_schema_lists_all_formats_and_styles():
    assert tuple(FORMATS) == FIGURE_FORMATS
    assert tuple(STYLES) == FIGURE_STYLES


@pytest.mark.parametrize(("format", "text"), [("pdf", b"/FontFile2"), ("svg", b">Training</text>")])
def test_paper_keeps_text_as_text(format, text, tmp_path):
    _, (png, file) = draw("paper", tmp_path, format)
    content = file.read_bytes()
    assert text in content
    assert png == tmp_path / "curves.png"
    assert draw("paper", tmp_path, format)[1][1].read_bytes() == content  # without the time or random ids


def test_all_text_of_a_paper_has_8_points(tmp_path):
    figure, _ = draw("paper", tmp_path)
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert sizes == {8.0}


def test_dark_figures_are_light_on_dark(tmp_path):
    _, (file,) = draw("dark", tmp_path)
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert np.median(pixels) == 30
    assert pixels.max() > 200
    assert (pixels < 30).mean() < 0.01  # nothing is drawn in black


def test_style_ends_with_the_block(tmp_path):
    before = draw("screen", tmp_path)[1][0].read_bytes()
    draw("dark", tmp_path)
    assert draw("screen", tmp_path)[1][0].read_bytes() == before


def test_grays_have_the_same_contrast_on_a_dark_background():
    level = styled(lambda: float(gray(0.85)))
    assert level() == pytest.approx(0.85)
    with use_style("dark"):
        text, background = (styled(lambda v=v: float(gray(v)))() for v in (0, 1))
        assert level() == pytest.approx(0.15 * text + 0.85 * background)
        assert background < 0.2 < 0.8 < text
