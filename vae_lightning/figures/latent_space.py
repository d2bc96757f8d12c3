"""The codes of images: their positions, their distribution, and their information about known factors."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_lightning import plotting
from vae_lightning.distributions import StandardNormal
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.registry import Drawing, register_figure
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.metrics.disentanglement.mutual_information import entropies, information_matrix
from vae_lightning.plotting.latent_space import identity, pca, tsne, umap

NUM_IMAGES = 5000
NUM_PROJECTED = 1000  # by t-SNE, which takes a few seconds
MAX_DENSITIES = 12  # latents


@register_figure
def latent_space(ctx: FigureContext) -> Drawing:
    """Plot the means of q(z|x), projected by PCA if there are more than two latents."""
    return scatter(ctx, identity if ctx.model.latent_dim < 3 else pca, NUM_IMAGES)


@register_figure
def latent_space_tsne(ctx: FigureContext) -> Drawing:
    """Plot the means of q(z|x), projected by t-SNE, which takes a few seconds for a thousand images."""
    return scatter(ctx, tsne, NUM_PROJECTED) if ctx.model.latent_dim > 2 else None


@register_figure
def latent_space_umap(ctx: FigureContext) -> Drawing:
    """Plot the means of q(z|x), projected by UMAP, which must be installed."""
    return scatter(ctx, umap, NUM_IMAGES) if ctx.model.latent_dim > 2 else None


def scatter(ctx: FigureContext, project: Callable[[Tensor], tuple], n: int) -> Drawing:
    """Plot the projected means of q(z|x) of n images; None for fewer than three images, or if a mean is not finite."""
    mu, y = posterior_means(ctx, n)
    if len(mu) < 3 or not mu.isfinite().all():
        return None
    points, axis_labels = project(mu)
    title = f"Latent space of {len(mu):,} images\n{ctx.title}"
    return plotting.scatter(points, y if ctx.class_names else None, title, axis_labels, ctx.class_names)


def posterior_means(ctx: FigureContext, n: int) -> tuple[Tensor, Tensor | None]:
    """Return the means of q(z|x) of n images, (n, D), and their labels. Images are encoded in validation batches."""
    images = ctx.images(n)
    return torch.cat([ctx.model.encode(*batch).mean for batch in images.split(ctx.data.eval_batch_size)]), images.y


@register_figure
def aggregate_posterior(ctx: FigureContext) -> Drawing:
    """Plot the aggregate posterior of each latent beside the prior N(0, 1)."""
    if ctx.posterior is None or not isinstance(ctx.model.prior, StandardNormal):
        return None
    centers, logvar = ctx.posterior.centers, ctx.posterior.logvar
    if not centers.isfinite().all():
        return None
    latents = ctx.posterior.order[:MAX_DENSITIES]
    title = f"Aggregate posterior of {len(centers)} images\n{ctx.title}"
    return plotting.aggregate_posterior(
        centers[:, latents], None if logvar is None else logvar[:, latents], latents.tolist(), title
    )


@register_figure
def factor_information(ctx: FigureContext) -> Drawing:
    """Plot the information of each latent about each known factor as a heat map."""
    y = ctx.data.splits["train"].y
    if ctx.posterior is None or y is None or y.dim() < 2 or not ctx.data.label_names:
        return None
    mu, labels = posterior_means(ctx, NUM_IMAGES)
    if not mu.isfinite().all() or labels is None:
        return None
    z, factors = mu.cpu().double().numpy(), labels.cpu().numpy()
    entropy = entropies(factors)
    varies = entropy > 0
    information = information_matrix(z, factors[:, varies], BINS) / entropy[varies]
    names = [name for name, v in zip(ctx.data.label_names, varies, strict=True) if v]
    title = f"Information about factors, {len(mu):,} images\n{ctx.title}"
    return plotting.factor_information(information, names, title)
