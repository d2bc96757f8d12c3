"""Reconstructions and samples, and how they change with the class."""

import torch

from vae_lightning import plotting
from vae_lightning.errors import UserError
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.posterior_stats import NUM_PROBES
from vae_lightning.figures.registry import Drawing, register_figure
from vae_lightning.models import VDVAE
from vae_lightning.pixels import to_float
from vae_lightning.plotting.nearest import nearest_indices
from vae_lightning.regularizers.kl import kl

NUM_COLUMNS = 10  # of images
NUM_GIBBS_STEPS = 100  # to fill in missing pixels
TEMPERATURES = (0.4, 0.6, 0.8, 0.9, 1.0)  # factors on the standard deviation of the prior
NUM_SAMPLE_ROWS = 3  # of samples above their nearest training images


@register_figure
def reconstructions(ctx: FigureContext) -> Drawing:
    """Draw images above their reconstructions."""
    x, y = ctx.images(30)
    return plotting.reconstructions(x, ctx.model.reconstruct(x, y), f"Reconstructions\n{ctx.title}")


@register_figure
def extreme_reconstructions(ctx: FigureContext) -> Drawing:
    """Draw the reconstructions with the lowest and the highest nelbo, or distortion if the model has no rate."""
    images = ctx.images(NUM_PROBES)
    out = ctx.model(*images)
    n = len(images.x)  # IWAE and M2 repeat the batch
    errors, name = -out.px.log_prob(out.x)[:n], "distortion"
    if ctx.model.has_rate:
        errors, name = errors + kl(out)[:n], "nelbo"
    order = errors.argsort()
    n_columns = min(NUM_COLUMNS, max(1, n // 2))  # so that no image is shown as both
    index = torch.cat([order[:n_columns], order.flip(0)[:n_columns]])
    shown = images.rows(index)
    title = f"Reconstructions with the lowest and the highest {name} of {n} images\n{ctx.title}"
    return plotting.extreme_reconstructions(shown.x, ctx.model.reconstruct(*shown), errors[index], title)


@register_figure
def samples(ctx: FigureContext) -> Drawing:
    """Draw samples from the prior. Those of a conditional model have each class, or the attributes of images."""
    if ctx.classes:
        y = torch.arange(len(ctx.classes), device=ctx.model.device).repeat_interleave(NUM_COLUMNS)
        x = ctx.samples(len(y), y)
        return plotting.samples(x, f"Samples from the prior, one row per class\n{ctx.title}", ctx.classes)
    source = "N(0, I), which the codes are not trained to match" if ctx.has_free_codes else "the prior"
    return plotting.samples(ctx.samples(100), f"Samples from {source}\n{ctx.title}")


@register_figure
def samples_by_temperature(ctx: FigureContext) -> Drawing:
    """Draw samples of a hierarchy at several temperatures, one row each, with the same noise."""
    if not isinstance(ctx.model, VDVAE):
        return None
    labels = torch.arange(NUM_COLUMNS, device=ctx.model.device) % len(ctx.classes) if ctx.classes else None
    rows = [ctx.samples(NUM_COLUMNS, labels, temperature=temperature) for temperature in TEMPERATURES]
    names = [f"{temperature:g}" for temperature in TEMPERATURES]
    return plotting.image_grid(torch.stack(rows), f"Samples at several temperatures\n{ctx.title}", names)


@register_figure
def imputations(ctx: FigureContext) -> Drawing:
    """Draw images without their lower half, the average that Gibbs sampling fills in, and the images."""
    x, y = ctx.images(NUM_COLUMNS)
    mask = (torch.arange(x.shape[2], device=x.device) < x.shape[2] // 2)[:, None]
    try:
        filled = ctx.model.impute(x, mask, y, samples=NUM_GIBBS_STEPS)
    except UserError:  # the pixels of the likelihood are not independent
        return None
    rows = torch.stack([x.where(mask, 0.5), filled, x])
    return plotting.image_grid(rows, f"Lower halves filled in\n{ctx.title}", ("observed", "filled in", "original"))


@register_figure
def nearest_images(ctx: FigureContext) -> Drawing:
    """Draw samples from the prior above their nearest training images. Conditional models show each class."""
    classes = ctx.shown_classes
    labels = torch.arange(len(classes), device=ctx.model.device).repeat(NUM_SAMPLE_ROWS) if classes else None
    x = ctx.samples(NUM_SAMPLE_ROWS * (len(classes) or NUM_COLUMNS), labels)
    images = ctx.data.splits["train"].x
    nearest = to_float(images[nearest_indices(x, images).to(images.device)]).to(x.device)
    title = f"Samples from the prior above their nearest training images, by pixels\n{ctx.title}"
    return plotting.nearest_images(x, nearest, title, classes)


@register_figure
def class_swap(ctx: FigureContext) -> Drawing:
    """Draw samples from the prior, then the codes of images, each decoded with every class."""
    classes = ctx.shown_classes
    if not classes:
        return None
    x, y = ctx.images(6)
    assert y is not None
    sampled = ctx.model.sample_prior(len(y[:4]), y[:4], torch.Generator().manual_seed(0))
    z = torch.cat([sampled, ctx.model.encode(x, y).mean])
    labels = torch.arange(len(classes), device=x.device).repeat(len(z))
    rows = ctx.model.decode(z.repeat_interleave(len(classes), 0), labels).mean.unflatten(0, (len(z), -1))
    title = f"Samples from the prior and the styles of images, decoded with every class\n{ctx.title}"
    return plotting.class_swap(rows[: len(sampled)], x, rows[len(sampled) :], classes, title)
