"""Runs side by side (overview, Figures 1 to 3)."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.images import grid_size, image_grid, show
from vae_lightning.plotting.style import interval, label_width, new_figure, styled

PANEL = 2.6  # inches: the width of one model's


def compare_reconstructions(x: Tensor, outputs: Mapping[str, Tensor], title: str) -> Figure:
    """The same images from each model, a row a model, such as one for each β (overview, Figure 3).

    Args:
        x: the images, (N, C, H, W) in [0, 1].
        outputs: by the model's name, such as "β = 4", its reconstructions, (N, C, H, W).
        title: above the grid.
    """
    return image_grid(torch.stack([x, *outputs.values()]), title, ["input", *outputs])


@styled
def compare_samples(samples: Mapping[str, Tensor], title: str) -> Figure:
    """Samples of each model, a square a model (overview, Figure 2).

    Args:
        samples: by the model's name, (N, C, H, W) in [0, 1].
        title: above the squares.
    """
    panels = min(len(samples), 3)
    lines = -(-len(samples) // panels)
    figure = new_figure(PANEL * panels, (PANEL + 0.2) * lines, title)
    for i, (name, x) in enumerate(samples.items(), 1):
        side = int(len(x) ** 0.5)
        axes = figure.add_subplot(lines, panels, i, title=name)
        show(axes, x[: side * side].unflatten(0, (side, side)))
    return figure


@styled
def compare_traversals(
    traversals: Mapping[str, Tensor], ends: Mapping[str, Tensor], features: Sequence[str], title: str
) -> Figure:
    """Features as rows, models as columns, with the range that each latent traverses (overview, Figure 1).

    Args:
        traversals: by the model's name, (F, steps, C, H, W) in [0, 1], feature by feature.
        ends: by the model's name, from where to where each of its F latents goes, (F, 2).
        features: F names.
        title: above the grid.
    """
    some = next(iter(traversals.values()))
    width, height = grid_size(some[:1])
    height *= PANEL / width
    size = PANEL * len(traversals) + label_width(features), (height + 0.35) * len(features) + 0.2
    figure = new_figure(*size, title)
    panels = figure.subplots(len(features), len(traversals), squeeze=False)
    for column, (model, strips) in enumerate(traversals.items()):
        for row, axes in enumerate(panels[:, column]):
            show(axes, strips[row][None])
            if column == 0:
                axes.set_ylabel(features[row], rotation=0, ha="right", va="center")
            axes.set_xlabel(interval(ends[model][row].tolist()))
        panels[0, column].set_title(model)
    return figure
