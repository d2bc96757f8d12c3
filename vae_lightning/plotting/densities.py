"""The aggregate posterior of each latent."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from scipy.stats import norm
from torch import Tensor

from vae_lightning.plotting.style import gray, latent_name, new_figure, styled

MAX_COLUMNS, PANEL_SIZE = 4, (1.7, 1.2)  # inches
NUM_POINTS = 200  # of a curve
MIN_LIMIT = 4.0  # the horizontal axis reaches at least from -4 to 4


def aggregate_density(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the density of the mixture of the posteriors of N images, mean_n N(z; μ_n, σ_n²), of the shape (P, D).

    Args:
        z: points, (P,).
        mu: means, (N, D).
        logvar: log σ², (N, D).
    """
    normal = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    return torch.stack([normal.log_prob(point).exp().mean(0) for point in z])


@styled
def aggregate_posterior(mu: Tensor, logvar: Tensor | None, latents: Sequence[int], title: str) -> Figure:
    """Plot the aggregate posterior of each latent beside N(0, 1).

    Args:
        mu: the means of q(z|x) of N images, (N, D).
        logvar: log σ², (N, D); None if q(z|x) is no Gaussian, then mu are draws, of which a histogram is drawn.
        latents: D indices, for the labels.
        title: above the figure.
    """
    mu, logvar = mu.cpu().double(), None if logvar is None else logvar.cpu().double()
    columns = min(len(latents), MAX_COLUMNS)
    rows = -(-len(latents) // columns)
    figure = new_figure(max(3.6, columns * PANEL_SIZE[0]), rows * PANEL_SIZE[1] + 0.3, title)
    for k, latent in enumerate(latents):
        spread = mu[:, k].abs() + (0 if logvar is None else 3 * (0.5 * logvar[:, k]).exp())
        limit = max(MIN_LIMIT, spread.max().item())
        z = torch.linspace(-limit, limit, NUM_POINTS, dtype=mu.dtype)
        axes = figure.add_subplot(rows, columns, k + 1, title=latent_name(latent), yticks=[])
        axes.spines.left.set_visible(False)
        if logvar is None:
            axes.hist(mu[:, k].numpy(), bins=40, density=True, color="C0", alpha=0.4, label="aggregate posterior")
        else:
            density = aggregate_density(z, mu[:, k : k + 1], logvar[:, k : k + 1])[:, 0]
            axes.fill_between(
                z.numpy(), density.numpy(), color="C0", alpha=0.4, linewidth=0, label="aggregate posterior"
            )
        axes.plot(z.numpy(), norm.pdf(z.numpy()), color=gray(0.4), linewidth=0.8, label="N(0, 1)")
        axes.set_ylim(bottom=0)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
