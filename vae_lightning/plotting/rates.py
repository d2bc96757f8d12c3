"""How much each latent says about the image: collapse, seen as it happens."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.curves import IMAGES_SEEN, count_images
from vae_lightning.plotting.style import new_figure, styled

MOST_NAMES = 40  # latents whose names fit below their bars


@styled
def rate_per_latent(rates: Tensor, active: Tensor, title: str) -> Figure:
    """A bar for each latent's KL, the largest first; those of inactive latents are hatched.

    Args:
        rates: the mean KL of each latent, (D,), in nats per image.
        active: which latents are active, bool (D,).
        title: above the figure.
    """
    order = rates.argsort(descending=True).cpu()
    heights, on = rates.cpu()[order].numpy(), active.cpu()[order].numpy()
    figure = new_figure(max(3.6, min(7.0, 0.22 * len(order) + 1)), 2.2, title)
    axes = figure.add_subplot(xlabel="latent, by its rate", ylabel="rate (KL), nats per image")
    places = np.arange(len(order))
    for kind, those, color, hatch in (("active", on, "C0", ""), ("inactive", ~on, "0.85", "////")):
        if those.any():
            label = f"{kind} ({those.sum()})"
            axes.bar(
                places[those], heights[those], color=color, hatch=hatch, edgecolor="0.4", linewidth=0.5, label=label
            )
    axes.set_xlim(-0.6, len(order) - 0.4)
    names(axes, "x", order.tolist())
    for name, is_on in zip(axes.get_xticklabels(), on, strict=False):  # there may be no room for names
        name.set_color("black" if is_on else "0.6")  # an inactive latent's bar has no height to see
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    return figure


@styled
def rate_history(rates: dict[int, list[float]], title: str) -> Figure:
    """Each latent's KL over the training as a heat map, a row a latent.

    Args:
        rates: training images seen -> the mean KL of each latent until there, D values in nats per image.
        title: above the figure.
    """
    seen = sorted(rates)
    values = np.asarray([rates[x] for x in seen]).T  # (D, E)
    figure = new_figure(4.8, min(6.0, max(1.4, 0.16 * len(values) + 0.4)), title)
    axes = figure.add_subplot(xlabel=IMAGES_SEEN, ylabel="latent")
    mesh = axes.pcolormesh([0, *seen], np.arange(len(values) + 1) - 0.5, values, vmin=0)
    figure.colorbar(mesh, label="nats per image")
    axes.invert_yaxis()
    names(axes, "y", list(range(len(values))))
    count_images(axes)
    return figure


def names(axes: Axes, axis: str, latents: list[int]) -> None:
    """Name the places 0, 1, ... of an axis after latents, z_1 and so on, where there is room."""
    if len(latents) <= MOST_NAMES:
        axes.set(**{f"{axis}ticks": range(len(latents)), f"{axis}ticklabels": [f"$z_{{{i + 1}}}$" for i in latents]})
        axes.tick_params(axis=axis, length=0)  # type: ignore[arg-type]
