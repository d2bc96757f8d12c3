"""Grids of images: what is drawn is what was given."""

import numpy as np
import pytest
import torch

from vae_lightning import figures


def drawn(figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array().squeeze()


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_lies_where_it_belongs(channels):
    rows = torch.rand(2, 3, channels, 4, 5)
    figure = figures.image_grid(rows, "a title", ["first", "second"])
    pixels = drawn(figure).reshape(2 * 5 - 1, 3 * 6 - 1, channels)
    np.testing.assert_allclose(pixels[5:9, 12:17], rows[1, 2].permute(1, 2, 0), atol=1e-6)
    assert (pixels[4] == 1).all()
    assert figure.axes[0].get_title() == "a title"
    assert figure.axes[0].title.get_fontsize() == 9  # the style's
    assert figure.dpi == 150
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["first", "second"]


def test_reconstructions_stand_below_their_inputs():
    x = torch.linspace(0, 1, 20).view(20, 1, 1, 1)
    pixels = drawn(figures.reconstructions(x, 1 - x, "title"))[::2, ::2]
    np.testing.assert_allclose(pixels[0], x[:10].flatten(), atol=1e-6)
    np.testing.assert_allclose(pixels[1], 1 - x[:10].flatten(), atol=1e-6)
    np.testing.assert_allclose(pixels[2], x[10:].flatten(), atol=1e-6)


def test_samples_of_a_conditional_model_have_a_row_a_class():
    x = torch.arange(6).view(6, 1, 1, 1) / 5
    figure = figures.samples(x, "title", classes=3)
    np.testing.assert_allclose(drawn(figure)[::2, ::2], x.view(3, 2), atol=1e-6)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["0", "1", "2"]


def test_fewer_images_than_a_row_are_drawn_too():
    assert drawn(figures.samples(torch.rand(3, 1, 2, 2), "title")).shape == (2, 8)
    assert drawn(figures.reconstructions(*torch.rand(2, 3, 1, 2, 2), "title")).shape == (5, 8)
