"""Heat map of the information of latents about known factors."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vae_lightning.plotting.rates import label_latents
from vae_lightning.plotting.style import format_number, new_figure, styled

MAX_WRITTEN = 200  # cells with their value in them
DARK = 0.6  # values above this are written in black


@styled
def factor_information(information: np.ndarray, factor_names: Sequence[str], title: str) -> Figure:
    """Plot I(z_d; v_k) / H(v_k) as a heat map, one row per latent and one column per factor.

    Args:
        information: (D, A) in [0, 1]; the gap between the two largest values of a column, averaged over columns, is
            the MIG.
        factor_names: A names.
        title: above the figure.
    """
    latents, factors = information.shape
    figure = new_figure(max(3.6, 0.5 * factors + 1.8), min(7.0, 0.2 * latents + 0.9), title)
    axes = figure.add_subplot(ylabel="latent")
    image = axes.imshow(information, vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, label="fraction of the factor's entropy")
    axes.set_xticks(range(factors), factor_names, rotation=45, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    label_latents(axes, "y", list(range(latents)))
    if information.size <= MAX_WRITTEN:
        for (d, k), value in np.ndenumerate(information):
            color = "black" if value > DARK else "white"
            axes.text(k, d, format_number(value, 2), ha="center", va="center", size=6, color=color)
    return figure
