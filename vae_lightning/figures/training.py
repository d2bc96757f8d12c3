"""The course of a training, and the rates and codes at its end."""

import torch

from vae_lightning import plotting
from vae_lightning.distributions import Codes, Quantizer
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.registry import Drawing, register_figure


@register_figure
def training_curves(ctx: FigureContext) -> Drawing:
    """Plot distortion, rate and their ratio during training."""
    if not ctx.history.train:
        return None
    return plotting.training_curves(ctx.history.train, ctx.history.val, f"Training\n{ctx.title}")


@register_figure
def rate_per_latent(ctx: FigureContext) -> Drawing:
    """Plot the rate as one bar per latent."""
    if ctx.posterior is None or ctx.posterior.rates is None:
        return None
    return plotting.rate_per_latent(ctx.posterior.rates, ctx.posterior.active, f"Rate per latent\n{ctx.title}")


@register_figure
def rate_history(ctx: FigureContext) -> Drawing:
    """Plot the rate during training as one row per latent."""
    if not ctx.history.rates:
        return None
    return plotting.rate_history(ctx.history.rates, f"Rate per latent during training\n{ctx.title}")


@register_figure
def code_usage(ctx: FigureContext) -> Drawing:
    """Plot how often each code of a codebook is used."""
    q = ctx.model.encode(*ctx.images(500))
    if not isinstance(q, Codes):
        return None
    assert isinstance(ctx.model.posterior, Quantizer)
    counts = torch.bincount(q.indices.flatten(), minlength=ctx.model.posterior.codebook_size)
    return plotting.code_usage(counts, f"Use of the codes\n{ctx.title}")
