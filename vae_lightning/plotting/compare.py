"""Figures that compare several models (overview, Figures 1 to 3)."""

import textwrap
from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import draw_mosaic, grid_size, image_grid
from vae_lightning.plotting.style import format_interval, label_width, new_figure, panel_grid, styled

PANEL_WIDTH = 2.6  # inches: of the panel of one model
PANEL_CHARACTERS = 36  # of its title


def compare_reconstructions(x: Tensor, outputs: Mapping[str, Tensor], title: str) -> Figure:
    """Draw the same images reconstructed by each model, one row per model, for example per β (overview, Figure 3).

    Args:
        x: the images, (N, C, H, W) in [0, 1].
        outputs: name of the model, such as "β = 4" -> its reconstructions, (N, C, H, W) in [0, 1].
        title: above the grid.
    """
    return image_grid(torch.stack([x, *outputs.values()]), title, ["input", *map(wrap, outputs)])


@styled
def compare_samples(samples: Mapping[str, Tensor], title: str) -> Figure:
    """Draw samples of each model, one square grid per model (overview, Figure 2).

    Args:
        samples: name of the model -> its samples, (N, C, H, W) in [0, 1].
        title: above the grids.
    """
    n_rows, n_columns = panel_grid(len(samples))
    figure = new_figure(PANEL_WIDTH * n_columns, (PANEL_WIDTH + 0.2) * n_rows, title)
    for i, (name, x) in enumerate(samples.items(), 1):
        side = int(len(x) ** 0.5)
        axes = figure.add_subplot(n_rows, n_columns, i, title=wrap(name))
        draw_mosaic(axes, x[: side * side].unflatten(0, (side, side)))
    return figure


@styled
def compare_traversals(
    traversals: Mapping[str, Tensor], ends: Mapping[str, Tensor], features: Sequence[str], title: str
) -> Figure:
    """Draw traversals, one row per feature and one column per model, with each latent's range (overview, Figure 1).

    Args:
        traversals: name of the model -> its traversals, (F, steps, C, H, W) in [0, 1].
        ends: name of the model -> the first and last value of each of its F latents, (F, 2).
        features: F names.
        title: above the grid.
    """
    first = next(iter(traversals.values()))
    width, height = grid_size(first[:1])
    height *= PANEL_WIDTH / width
    size = PANEL_WIDTH * len(traversals) + label_width(features), (height + 0.35) * len(features) + 0.2
    figure = new_figure(*size, title)
    panels = figure.subplots(len(features), len(traversals), squeeze=False)
    for column, (model, strips) in enumerate(traversals.items()):
        for row, axes in enumerate(panels[:, column]):
            draw_mosaic(axes, strips[row][None])
            if column == 0:
                axes.set_ylabel(features[row], rotation=0, ha="right", va="center")
            axes.set_xlabel(format_interval(ends[model][row].tolist()))
        panels[0, column].set_title(wrap(model))
    return figure


def wrap(name: str) -> str:
    """Break the name of a model, which lists all options that differ, into lines that fit its panel."""
    return textwrap.fill(name, PANEL_CHARACTERS, break_on_hyphens=False)
