"""The decoded plane of two latents."""

import torch
from torch import Tensor

from vae_lightning import plotting
from vae_lightning.distributions import StandardNormal
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.registry import Drawing, register_figure
from vae_lightning.plotting.manifold import linear_values, plane, probabilities, quantiles

MANIFOLD_SIZE, CLASS_MANIFOLD_SIZE = 20, 10  # images along each side


@register_figure
def manifold(ctx: FigureContext) -> Drawing:
    """Draw the decoded plane of two latents, spaced evenly in the mass of the prior, or of unregularized codes."""
    if not has_plane(ctx):
        return None
    if ctx.has_free_codes:
        return draw_manifold(ctx, code_quantiles(ctx), "spaced evenly in the mass of the codes")
    return draw_manifold(ctx, quantiles(MANIFOLD_SIZE), "spaced evenly in prior mass")


@register_figure
def manifold_linear(ctx: FigureContext) -> Drawing:
    """Draw the decoded plane of two latents, spaced evenly from -3 to 3."""
    if not has_plane(ctx) or ctx.has_free_codes:
        return None
    return draw_manifold(ctx, linear_values(MANIFOLD_SIZE), "spaced evenly from \N{MINUS SIGN}3 to 3")


@register_figure
def class_manifolds(ctx: FigureContext) -> Drawing:
    """Draw the decoded plane of two latents with every class."""
    classes = ctx.shown_classes
    if not classes or not has_plane(ctx) or ctx.has_free_codes:
        return None
    z = plane(quantiles(CLASS_MANIFOLD_SIZE)).to(ctx.model.device)
    planes = [ctx.model.decode(z, torch.full((len(z),), k, device=z.device)).mean for k in range(len(classes))]
    title = f"Latent plane of each class, spaced evenly in prior mass\n{ctx.title}"
    return plotting.class_manifolds(torch.stack(planes), classes, title)


def draw_manifold(ctx: FigureContext, values: Tensor, spacing: str) -> Drawing:
    """Draw the decoded plane. A conditional model decodes it with the label of the first image."""
    z = plane(values).to(ctx.model.device)
    y = ctx.first_label(len(z))
    class_name = "" if y is None or not ctx.classes else f", class {ctx.classes[int(y[0])]}"
    return plotting.manifold(ctx.model.decode(z, y).mean, values, f"Latent plane, {spacing}{class_name}\n{ctx.title}")


def has_plane(ctx: FigureContext) -> bool:
    """Return whether the model has two continuous latents and the prior N(0, I)."""
    has_two = ctx.model.latent_dim == 2 and ctx.posterior is not None
    return has_two and isinstance(ctx.model.prior, StandardNormal)


def code_quantiles(ctx: FigureContext) -> Tensor:
    """Return values of each latent, (n, 2), spaced evenly in the mass of the aggregate posterior."""
    assert ctx.posterior is not None
    centers = ctx.posterior.centers.cpu().double()
    return torch.quantile(centers, probabilities(MANIFOLD_SIZE), dim=0).float()
