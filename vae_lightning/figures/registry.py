"""What each figure shows of a model: a function a figure, which answers None where the figure makes no sense."""

from collections.abc import Callable, Collection, Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning import plotting
from vae_lightning.distributions import Codes, StandardNormal
from vae_lightning.errors import UserError
from vae_lightning.figures.context import FigureContext, isolated_eval
from vae_lightning.plotting.interpolations import linear, spherical
from vae_lightning.plotting.latent_space import as_it_is, has_umap, pca, tsne, umap
from vae_lightning.plotting.manifold import linear_values, plane, quantiles
from vae_lightning.plotting.traversals import ranges, row_names, traverse

Drawing = Figure | bytes | None  # bytes: a GIF
STEPS = 10  # images from one end to the other
FRAMES = 14  # of an animation, and as many back
SIDE = 20  # images along each side of a manifold
MOST_ROWS = 32  # latents that are traversed
MOST_CLASSES = 10  # classes side by side
PAIRS = 5  # to go between

FIGURES: dict[str, Callable[[FigureContext], Drawing]] = {}


def register_figure(function: Callable[[FigureContext], Drawing]) -> Callable[[FigureContext], Drawing]:
    """Enter a function under its name, that of the file and of TensorBoard's tag."""
    FIGURES[function.__name__] = function
    return function


def check_names(option: str, names: Collection[str]) -> None:
    """Refuse what cannot be drawn before the training, not after it.

    Raises:
        UserError: when a name is none of `DRAWINGS`, or needs a package that is not installed.
    """
    for name in names:
        if name not in FIGURES:
            raise UserError(f"{option}={name}: no such figure. Choose from {', '.join(FIGURES)}.")
    if "latent_space_umap" in names and not has_umap():
        raise UserError(f"{option}=latent_space_umap: requires a package. Run pip install umap-learn, or leave it out.")


def draw_figures(subject: FigureContext, names: Collection[str]) -> Iterator[tuple[str, Figure | bytes]]:
    """Those of the figures that make sense, each with its name."""
    with isolated_eval(subject.model):
        for name in names:
            drawn = FIGURES[name](subject)
            if drawn is not None:
                yield name, drawn


# ---------------------------------------------------------------- images


@register_figure
def reconstructions(ctx: FigureContext) -> Drawing:
    """Images above what the model makes of them."""
    x, y = ctx.images(30)
    return plotting.reconstructions(x, ctx.model.reconstruct(x, y), f"Reconstructions\n{ctx.title}")


@register_figure
def samples(ctx: FigureContext) -> Drawing:
    """Draws from the prior; for a conditional model by class, or with the attributes of images."""
    noise = torch.Generator().manual_seed(0)
    if ctx.classes:
        y = torch.arange(len(ctx.classes), device=ctx.model.device).repeat_interleave(STEPS)
        x = ctx.model.sample(len(y), y, noise)
        return plotting.samples(x, f"Samples from the prior, a row a class\n{ctx.title}", ctx.classes)
    labels = ctx.images(100).y if ctx.model.condition_dim else None
    x = ctx.model.sample(100 if labels is None else len(labels), labels, noise)
    return plotting.samples(x, f"Samples from the prior\n{ctx.title}")


# ---------------------------------------------------------------- training


@register_figure
def training_curves(ctx: FigureContext) -> Drawing:
    """Distortion, rate and their ratio."""
    if not ctx.history.train:
        return None
    return plotting.training_curves(ctx.history.train, ctx.history.val, f"Training\n{ctx.title}")


@register_figure
def rate_per_latent(ctx: FigureContext) -> Drawing:
    """A bar a latent."""
    if ctx.posterior is None or ctx.posterior.rates is None:
        return None
    return plotting.rate_per_latent(ctx.posterior.rates, ctx.posterior.active, f"Rate of each latent\n{ctx.title}")


@register_figure
def rate_history(ctx: FigureContext) -> Drawing:
    """A row a latent, over the training."""
    return plotting.rate_history(ctx.history.rates, f"Rate of each latent\n{ctx.title}") if ctx.history.rates else None


# ---------------------------------------------------------------- latent space


@register_figure
def latent_space(ctx: FigureContext) -> Drawing:
    """Means as they are in one or two dimensions, by PCA in more."""
    return scatter(ctx, as_it_is if ctx.model.latent_dim < 3 else pca, 5000)


@register_figure
def latent_space_tsne(ctx: FigureContext) -> Drawing:
    """Means by t-SNE, which takes some seconds for a thousand images."""
    return scatter(ctx, tsne, 1000) if ctx.model.latent_dim > 2 else None


@register_figure
def latent_space_umap(ctx: FigureContext) -> Drawing:
    """Means by UMAP, if it is installed."""
    return scatter(ctx, umap, 5000) if ctx.model.latent_dim > 2 else None


def scatter(ctx: FigureContext, project: Callable[[Tensor], tuple], n: int) -> Drawing:
    """The means of n images by one of the projections; none of a model that has come to nothing, or of few images."""
    mu, y = posterior_means(ctx, n)
    if len(mu) < 3 or not mu.isfinite().all():
        return None
    points, axis_labels = project(mu)
    what = f"Latent space of {len(mu):,} images"
    return plotting.scatter(
        points, y if ctx.class_names else None, f"{what}\n{ctx.title}", axis_labels, ctx.class_names
    )


def posterior_means(ctx: FigureContext, n: int) -> tuple[Tensor, Tensor | None]:
    """The posterior's means of n images, (n, D), and the labels; encoded in parts, as in a validation."""
    x, y = ctx.images(n)
    size = ctx.data.eval_batch_size
    parts = [
        ctx.model.encode(x[i : i + size], None if y is None else y[i : i + size]).mean for i in range(0, len(x), size)
    ]
    return torch.cat(parts), y


@register_figure
def manifold(ctx: FigureContext) -> Drawing:
    """The plane of two latents, evenly by the prior's mass."""
    return manifold_of(ctx, quantiles(SIDE), "evenly in the prior's mass")


@register_figure
def manifold_linear(ctx: FigureContext) -> Drawing:
    """The plane of two latents, from -3 to 3."""
    return manifold_of(ctx, linear_values(SIDE), "from \N{MINUS SIGN}3 to 3")


def manifold_of(ctx: FigureContext, values: Tensor, how: str) -> Drawing:
    """A plane of N(0, I), for a conditional model that of the first image's class."""
    if ctx.model.latent_dim != 2 or ctx.posterior is None or not isinstance(ctx.model.prior, StandardNormal):
        return None
    z = plane(values).to(ctx.model.device)
    y = first_label(ctx, len(z))
    of_class = "" if y is None or not ctx.classes else f", class {ctx.classes[int(y[0])]}"
    return plotting.manifold(ctx.model.decode(z, y).mean, values, f"Latent plane, {how}{of_class}\n{ctx.title}")


def first_label(ctx: FigureContext, n: int) -> Tensor | None:
    """The label of the first image, n times; None for a model that is not conditional."""
    y = ctx.images(1).y
    return y.expand(n, *y.shape[1:]) if ctx.model.condition_dim and y is not None else None


# ---------------------------------------------------------------- ways through the latent space


@register_figure
def traversals(ctx: FigureContext) -> Drawing:
    """A row a latent, from the first image's code."""
    if ctx.posterior is None:
        return None
    latents, ends, names = traversed(ctx, MOST_ROWS)
    z = traverse(posterior_means(ctx, 1)[0][0], latents, ends, STEPS).flatten(0, 1)
    rows = ctx.model.decode(z, first_label(ctx, len(z))).mean.unflatten(0, (-1, STEPS))
    by = "KL" if ctx.posterior.rates is not None else "the variance of their means"
    return plotting.image_grid(rows, f"Traversals of the latents, by {by}\n{ctx.title}", names)


@register_figure
def traversals_animation(ctx: FigureContext) -> Drawing:
    """A column a latent, a row an image; all latents go from end to end together."""
    if ctx.posterior is None:
        return None
    latents, ends, _ = traversed(ctx, STEPS)
    codes, y = posterior_means(ctx, 3)
    rows = []
    for code, label in zip(codes, [None] * len(codes) if y is None else y, strict=True):
        z = traverse(code, latents, ends, FRAMES).flatten(0, 1)
        labels = None if label is None else label.expand(len(z), *label.shape)
        rows.append(ctx.model.decode(z, labels).mean.unflatten(0, (-1, FRAMES)))  # (R, T, C, H, W)
    columns = [f"$z_{{{latent + 1}}}$" for latent in latents.tolist()]
    frames = torch.stack(rows).permute(2, 0, 1, 3, 4, 5)  # (T, images, R, C, H, W)
    return plotting.animation(frames, f"Traversals\n{ctx.title}", column_labels=columns)


def traversed(ctx: FigureContext, most: int) -> tuple[Tensor, Tensor, list[str]]:
    """The latents to traverse, (R,), their ends, (R, 2), and a name for each."""
    assert ctx.posterior is not None
    mu, logvar, _, rates = ctx.posterior
    latents = ctx.posterior.order[:most]
    ends = ranges(mu, logvar)[latents]
    return latents, ends, row_names(latents, ends, None if rates is None else rates[latents])


@register_figure
def interpolations(ctx: FigureContext) -> Drawing:
    """Straight lines and arcs between the codes of pairs of images; a conditional model's pairs are of one class."""
    x, y = ctx.images(200)
    pairs = pairs_of(len(x), y if ctx.model.condition_dim else None).to(x.device)  # (P, 2)
    if not len(pairs) or isinstance(q := ctx.model.encode(x, y), Codes):  # there is nothing between two codes
        return None
    a, b = q.mean[pairs].unbind(1)
    ways = {"linear": linear(a, b, STEPS)}
    if ctx.model.latent_dim > 1:
        ways["spherical"] = spherical(a, b, STEPS)
    labels = None if y is None else y[pairs[:, 0]].repeat_interleave(STEPS, 0)
    images = {way: ctx.model.decode(z.flatten(0, 1), labels).mean.unflatten(0, (-1, STEPS)) for way, z in ways.items()}
    return plotting.interpolations(x[pairs], images, f"Interpolations between the codes of two images\n{ctx.title}")


def pairs_of(n: int, y: Tensor | None) -> Tensor:
    """Which images to go between, int64 (P, 2): one after the other, or two of each class; none of attributes."""
    if y is None:
        return torch.arange(min(n, 2 * PAIRS) // 2 * 2).view(-1, 2)
    if y.dim() > 1:
        return torch.zeros(0, 2, dtype=torch.int64)
    members = [(y == k).nonzero().flatten() for k in y.unique()]
    pairs = [m[:2] for m in members if len(m) > 1][:PAIRS]
    return torch.stack(pairs) if pairs else torch.zeros(0, 2, dtype=torch.int64)


# ---------------------------------------------------------------- conditional models


@register_figure
def class_swap(ctx: FigureContext) -> Drawing:
    """One z in every class: draws from the prior, then the codes of images."""
    classes = ctx.classes[:MOST_CLASSES]
    if not classes:
        return None
    x, y = ctx.images(6)
    assert y is not None
    drawn = ctx.model.sample_prior(len(y[:4]), y[:4], torch.Generator().manual_seed(0))
    z = torch.cat([drawn, ctx.model.encode(x, y).mean])
    labels = torch.arange(len(classes), device=x.device).repeat(len(z))
    rows = ctx.model.decode(z.repeat_interleave(len(classes), 0), labels).mean.unflatten(0, (len(z), -1))
    title = f"One latent in every class: draws from the prior, and the style of images\n{ctx.title}"
    return plotting.class_swap(rows[: len(drawn)], x, rows[len(drawn) :], classes, title)


@register_figure
def class_traversals(ctx: FigureContext) -> Drawing:
    """The latent with the highest rate from end to end, a row a class."""
    classes = ctx.classes[:MOST_CLASSES]
    if not classes or ctx.posterior is None:
        return None
    latents, ends, (name,) = traversed(ctx, 1)
    z = traverse(ctx.posterior.mu.mean(0), latents, ends, STEPS)[0].repeat(len(classes), 1)
    labels = torch.arange(len(classes), device=z.device).repeat_interleave(STEPS)
    rows = ctx.model.decode(z, labels).mean.unflatten(0, (-1, STEPS))
    return plotting.image_grid(rows, f"Traversal of {name} in each class\n{ctx.title}", classes)
