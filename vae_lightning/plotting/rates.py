"""Rate of each latent, which shows posterior collapse."""

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.curves import IMAGES_SEEN, format_image_counts
from vae_lightning.plotting.style import gray, latent_name, new_figure, styled

MAX_LABELED_LATENTS = 40  # with more, the labels would overlap


@styled
def rate_per_latent(rates: Tensor, active: Tensor, title: str) -> Figure:
    """Plot the KL of each latent as a bar, the largest first. Bars of inactive latents are hatched.

    Args:
        rates: the mean KL of each latent, (D,), in nats per image.
        active: whether each latent is active, bool (D,).
        title: above the figure.
    """
    order = rates.argsort(descending=True).cpu()
    heights, is_active = rates.cpu()[order].numpy(), active.cpu()[order].numpy()
    figure = new_figure(max(3.6, min(7.0, 0.22 * len(order) + 1)), 2.2, title)
    axes = figure.add_subplot(xlabel="latents, sorted by rate", ylabel="rate (KL), nats per image")
    positions = np.arange(len(order))
    for name, mask, color, hatch in (("active", is_active, "C0", ""), ("inactive", ~is_active, gray(0.85), "////")):
        if mask.any():
            label = f"{name} ({mask.sum()})"
            axes.bar(
                positions[mask],
                heights[mask],
                color=color,
                hatch=hatch,
                edgecolor=gray(0.4),
                linewidth=0.5,
                label=label,
            )
    axes.set_xlim(-0.6, len(order) - 0.4)
    label_latents(axes, "x", order.tolist())
    for tick_label, on in zip(axes.get_xticklabels(), is_active, strict=False):  # fewer labels if they do not fit
        tick_label.set_color(
            rcParams["xtick.color"] if on else gray(0.6)
        )  # the bar of an inactive latent is too low to see its hatching
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    return figure


@styled
def rate_history(rates: dict[int, list[float]], title: str) -> Figure:
    """Plot the KL of each latent during training as a heat map, one row per latent.

    Args:
        rates: training images seen -> the mean KL of each latent at that point, D values in nats per image.
        title: above the figure.
    """
    seen = sorted(rates)
    values = np.asarray([rates[x] for x in seen]).T  # (D, E)
    figure = new_figure(4.8, min(6.0, max(1.4, 0.16 * len(values) + 0.4)), title)
    axes = figure.add_subplot(xlabel=IMAGES_SEEN, ylabel="latent")
    mesh = axes.pcolormesh([0, *seen], np.arange(len(values) + 1) - 0.5, values, vmin=0)
    figure.colorbar(mesh, label="nats per image")
    axes.invert_yaxis()
    label_latents(axes, "y", list(range(len(values))))
    format_image_counts(axes)
    return figure


def label_latents(axes: Axes, axis: str, latents: list[int]) -> None:
    """Label the positions 0, 1, ... of an axis with the names of latents, z_0, z_1, ..., if they fit.

    Args:
        axes: to be labeled.
        axis: `x` or `y`.
        latents: indices, in the order of their positions.
    """
    if len(latents) <= MAX_LABELED_LATENTS:
        axes.set(**{f"{axis}ticks": range(len(latents)), f"{axis}ticklabels": [latent_name(i) for i in latents]})
        axes.tick_params(axis=axis, length=0)  # type: ignore[arg-type]
