"""Traversals of latents, and interpolations between the codes of images."""

import torch
from torch import Tensor

from vae_lightning import plotting
from vae_lightning.distributions import Codes
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.latent_space import posterior_means
from vae_lightning.figures.registry import Drawing, register_figure
from vae_lightning.plotting.interpolations import linear, spherical
from vae_lightning.plotting.style import latent_name
from vae_lightning.plotting.traversals import row_names, traverse

NUM_STEPS = 10  # images per traversal or interpolation
NUM_FRAMES = 14  # of an animation in one direction
MAX_TRAVERSED = 32  # latents
MIN_TRAVERSED = 3  # latents, however low their KL
MIN_RATE = 0.1  # KL of the other latents that are traversed, in nats
NUM_PAIRS = 5  # of images to interpolate between


@register_figure
def traversals(ctx: FigureContext) -> Drawing:
    """Draw traversals of the latents that are used, one row per latent, from the posterior mean of the first image."""
    if ctx.posterior is None:
        return None
    latents, ends, names = select_latents(ctx, MAX_TRAVERSED)
    z = traverse(posterior_means(ctx, 1)[0][0], latents, ends, NUM_STEPS).flatten(0, 1)
    rows = ctx.model.decode(z, ctx.first_label(len(z))).mean.unflatten(0, (-1, NUM_STEPS))
    key = "KL" if ctx.posterior.rates is not None else "the variance of their means"
    n, total = len(latents), len(ctx.posterior.order)  # without categories, which are not traversed
    shown = "the latents" if n == total else f"{n} of {total} latents"
    return plotting.image_grid(rows, f"Traversals of {shown}, sorted by {key}\n{ctx.title}", names)


@register_figure
def traversals_animation(ctx: FigureContext) -> Drawing:
    """Animate traversals, one column per latent and one row per image. All latents move at the same time."""
    if ctx.posterior is None:
        return None
    latents, ends, _ = select_latents(ctx, NUM_STEPS)
    codes, y = posterior_means(ctx, 3)
    rows = []
    for code, label in zip(codes, [None] * len(codes) if y is None else y, strict=True):
        z = traverse(code, latents, ends, NUM_FRAMES).flatten(0, 1)
        labels = None if label is None else label.expand(len(z), *label.shape)
        rows.append(ctx.model.decode(z, labels).mean.unflatten(0, (-1, NUM_FRAMES)))  # (R, T, C, H, W)
    columns = [latent_name(latent) for latent in latents.tolist()]
    frames = torch.stack(rows).permute(2, 0, 1, 3, 4, 5)  # (T, images, R, C, H, W)
    return plotting.animation(frames, f"Traversals\n{ctx.title}", column_labels=columns)


@register_figure
def class_traversals(ctx: FigureContext) -> Drawing:
    """Draw a traversal of the latent with the highest rate, one row per class."""
    classes = ctx.shown_classes
    if not classes or ctx.posterior is None:
        return None
    latents, ends, (name,) = select_latents(ctx, 1)
    z = traverse(ctx.posterior.mu.mean(0), latents, ends, NUM_STEPS)[0].repeat(len(classes), 1)
    labels = torch.arange(len(classes), device=z.device).repeat_interleave(NUM_STEPS)
    rows = ctx.model.decode(z, labels).mean.unflatten(0, (-1, NUM_STEPS))
    return plotting.image_grid(rows, f"Traversal of {name}, one row per class\n{ctx.title}", classes)


def select_latents(ctx: FigureContext, n: int) -> tuple[Tensor, Tensor, list[str]]:
    """Return the latents with the highest KL, but hardly any that are not used, as `PosteriorStats.order` has them.

    Returns:
        indices (R,), R <= n, the ends of their ranges (R, 2), and labels.
    """
    assert ctx.posterior is not None
    rates = ctx.posterior.rates
    used = n if rates is None else max(MIN_TRAVERSED, int((rates >= MIN_RATE).sum()))
    latents = ctx.posterior.order[: min(n, used)]
    ends = ctx.ranges[latents]
    return latents, ends, row_names(latents, ends, None if rates is None else rates[latents])


@register_figure
def interpolations(ctx: FigureContext) -> Drawing:
    """Draw linear and spherical interpolations between pairs of images, of one class if the model is conditional."""
    x, y = ctx.images(200)
    pairs = pairs_of(len(x), y if ctx.model.condition_dim else None).to(x.device)  # (P, 2)
    if not len(pairs) or isinstance(q := ctx.model.encode(x, y), Codes):  # discrete codes cannot be interpolated
        return None
    a, b = q.mean[pairs].unbind(1)
    latents = {"linear": linear(a, b, NUM_STEPS)}
    if ctx.model.latent_dim > 1:
        latents["spherical"] = spherical(a, b, NUM_STEPS)
    labels = None if y is None else y[pairs[:, 0]].repeat_interleave(NUM_STEPS, 0)
    decoded = {
        kind: ctx.model.decode(z.flatten(0, 1), labels).mean.unflatten(0, (-1, NUM_STEPS))
        for kind, z in latents.items()
    }
    return plotting.interpolations(x[pairs], decoded, f"Interpolations between the codes of two images\n{ctx.title}")


def pairs_of(n: int, y: Tensor | None) -> Tensor:
    """Return the indices of the images to interpolate between, int64 (P, 2).

    Args:
        n: number of images.
        y: None for consecutive pairs; classes, (n,), for one pair per class; attributes, (n, K), for no pairs.
    """
    if y is None:
        return torch.arange(min(n, 2 * NUM_PAIRS) // 2 * 2).view(-1, 2)
    if y.dim() > 1:
        return torch.zeros(0, 2, dtype=torch.int64)
    members = [(y == k).nonzero().flatten() for k in y.unique()]
    pairs = [m[:2] for m in members if len(m) > 1][:NUM_PAIRS]
    return torch.stack(pairs) if pairs else torch.zeros(0, 2, dtype=torch.int64)
