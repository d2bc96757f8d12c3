"""Grids of images."""

import numpy as np
import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting
from vae_lightning.plotting.images import mosaic, sprite


def pixels_of(figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array().squeeze()


def labels(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid_draws_images_and_labels_in_their_places(channels):
    rows = torch.rand(2, 3, channels, 4, 5)
    figure = plotting.image_grid(rows, "a title\nof two lines", ["first", "second"], ["a", "b", "c"])
    pixels = pixels_of(figure).reshape(2 * 5 - 1, 3 * 6 - 1, channels)
    np.testing.assert_allclose(pixels[5:9, 12:17], rows[1, 2].permute(1, 2, 0), atol=1e-6)
    assert (pixels[4] == 1).all()
    assert figure.get_suptitle() == "a title\nof two lines"
    assert figure.dpi == 150
    assert labels(figure.axes[0].yaxis) == ["first", "second"]
    assert labels(figure.axes[0].xaxis) == ["a", "b", "c"]
    assert list(figure.axes[0].get_xticks()) == [2, 8, 14]  # the center columns of the images
    assert_readable(figure)


def test_mosaic_clips_values():
    assert mosaic(torch.tensor([-1.0, 0.5, 2.0]).view(1, 3, 1, 1, 1)).squeeze().tolist() == [0, 1, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("shape", "row_labels", "column_labels"),
    [
        ((1, 1, 1, 28, 28), (), ()),
        ((40, 10, 3, 64, 64), ["z₃₂  12.05 nats  [\N{MINUS SIGN}12.5, \N{MINUS SIGN}10.1]"] * 40, ()),
        ((3, 11, 1, 28, 28), ["style of"] * 3, ["", *["T-shirt/top"] * 10]),
        ((10, 11, 1, 60, 20), ["Ankle boot"] * 10, ["Ankle boot"] * 11),
        ((6, 10, 1, 1, 20), ["input", "output"] * 3, ()),
    ],
    ids=["one", "many rows", "wide names", "tall images", "vectors"],
)
def test_image_grid_is_readable(shape, row_labels, column_labels):
    title = (
        "Samples from the prior and the styles of images, decoded with every class\na_long_name-mnist, β = 1, epoch 30"
    )
    figure = plotting.image_grid(torch.rand(shape), title, row_labels, column_labels)
    assert_readable(figure)
    width, height = figure.get_size_inches()
    assert width < 8.5
    assert height < 11
    image = figure.axes[0].images[0].get_window_extent()
    box = figure.axes[0].get_window_extent()
    assert (image.width, image.height) == pytest.approx((box.width, box.height), rel=0.02)  # the image fills the axes


def test_reconstructions_are_drawn_below_the_inputs():
    x = torch.linspace(0, 1, 20).view(20, 1, 1, 1)
    pixels = pixels_of(plotting.reconstructions(x, 1 - x, "title"))[::2, ::2]
    np.testing.assert_allclose(pixels[0], x[:10].flatten(), atol=1e-6)
    np.testing.assert_allclose(pixels[1], 1 - x[:10].flatten(), atol=1e-6)
    np.testing.assert_allclose(pixels[2], x[10:].flatten(), atol=1e-6)


def test_samples_of_a_conditional_model_have_one_row_per_class():
    x = torch.arange(6).view(6, 1, 1, 1) / 5
    figure = plotting.samples(x, "title", ["cat", "dog", "owl"])
    np.testing.assert_allclose(pixels_of(figure)[::2, ::2], x.view(3, 2), atol=1e-6)
    assert labels(figure.axes[0].yaxis) == ["cat", "dog", "owl"]


def test_grids_of_fewer_images_than_a_row():
    assert pixels_of(plotting.samples(torch.rand(3, 1, 2, 2), "title")).shape == (2, 8)
    assert pixels_of(plotting.reconstructions(*torch.rand(2, 3, 1, 2, 2), "title")).shape == (5, 8)


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_images_of_other_channels_show_the_first_three(channels):
    rows = torch.rand(1, 2, channels, 3, 4)
    drawn = torch.from_numpy(mosaic(rows))
    assert drawn.shape == (3, 9, 3)
    shown = min(channels, 3)
    torch.testing.assert_close(drawn[:, :4, :shown], rows[0, 0, :shown].permute(1, 2, 0))
    assert drawn[:, :4, shown:].sum() == 0
    assert sprite(rows[0]).shape == (6, 8, 3)
