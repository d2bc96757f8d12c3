"""Use of the codes of a codebook, which shows whether it has collapsed."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.plotting.style import gray, new_figure, styled


@styled
def code_usage(counts: Tensor, title: str) -> Figure:
    """Plot the share of each code among all codes of some images, the most frequent code first.

    The legend gives the number of codes in use and the perplexity, the exponential of the entropy of the shares: the
    number of equally frequent codes with the same entropy.

    Args:
        counts: how often each code occurs, (K,); at least one occurs.
        title: above the figure.
    """
    shares = (counts.double() / counts.sum()).sort(descending=True).values.cpu()
    perplexity = torch.special.entr(shares).sum().exp().item()
    figure = new_figure(4.8, 2.2, title)
    axes = figure.add_subplot(xlabel="codes, sorted by use", ylabel="share of all codes, %")
    edges = np.arange(len(shares) + 1)
    label = f"{(counts > 0).sum():,} of {len(shares):,} codes in use, perplexity {perplexity:,.1f}"
    axes.stairs(100 * shares.numpy(), edges, fill=True, label=label)
    axes.axhline(100 / len(shares), color=gray(0.3), linestyle="--", label="uniform use")
    axes.set_xlim(0, len(shares))
    axes.legend(loc="upper right")
    return figure
