"""All figures of a model: one function per figure, which returns None if the figure does not apply to the model."""

from collections.abc import Callable, Collection, Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning import plotting
from vae_lightning.distributions import Codes, Quantizer, StandardNormal
from vae_lightning.errors import UserError
from vae_lightning.figures.context import FigureContext, isolated_eval
from vae_lightning.models import VDVAE
from vae_lightning.plotting.interpolations import linear, spherical
from vae_lightning.plotting.latent_space import has_umap, identity, pca, tsne, umap
from vae_lightning.plotting.manifold import linear_values, plane, quantiles
from vae_lightning.plotting.nearest import nearest_indices
from vae_lightning.plotting.traversals import ranges, row_names, traverse

Drawing = Figure | bytes | None  # bytes: a GIF
NUM_STEPS = 10  # images per traversal or interpolation
NUM_FRAMES = 14  # of an animation in one direction
MANIFOLD_SIZE = 20  # images along each side
MAX_TRAVERSED = 32  # latents
MAX_CLASSES = 10
NUM_GIBBS_STEPS = 100  # to fill in missing pixels
NUM_PAIRS = 5  # of images to interpolate between
TEMPERATURES = (0.4, 0.6, 0.8, 0.9, 1.0)  # factors on the standard deviation of the prior
NUM_SAMPLE_ROWS = 3  # of samples above their nearest training images

FIGURES: dict[str, Callable[[FigureContext], Drawing]] = {}


def register_figure(function: Callable[[FigureContext], Drawing]) -> Callable[[FigureContext], Drawing]:
    """Register a function under its name, which is also the name of the file and the tag in TensorBoard."""
    FIGURES[function.__name__] = function
    return function


def check_names(option: str, names: Collection[str]) -> None:
    """Check that all figures can be drawn, so that an error is raised before training.

    Args:
        option: the option that lists the names, for error messages.
        names: of figures.

    Raises:
        UserError: if a name is not in `FIGURES`, or the figure needs a package that is not installed.
    """
    for name in names:
        if name not in FIGURES:
            raise UserError(f"{option}={name}: no such figure. Choose from {', '.join(FIGURES)}.")
    if "latent_space_umap" in names and not has_umap():
        raise UserError(f"{option}=latent_space_umap: requires a package. Run pip install umap-learn, or leave it out.")


def draw_figures(ctx: FigureContext, names: Collection[str]) -> Iterator[tuple[str, Figure | bytes]]:
    """Yield the name and the figure of those that apply to the model."""
    with isolated_eval(ctx.model):
        for name in names:
            figure = FIGURES[name](ctx)
            if figure is not None:
                yield name, figure


# ---------------------------------------------------------------- images


@register_figure
def reconstructions(ctx: FigureContext) -> Drawing:
    """Draw images above their reconstructions."""
    x, y = ctx.images(30)
    return plotting.reconstructions(x, ctx.model.reconstruct(x, y), f"Reconstructions\n{ctx.title}")


@register_figure
def samples(ctx: FigureContext) -> Drawing:
    """Draw samples from the prior. Those of a conditional model have each class, or the attributes of images."""
    if ctx.classes:
        y = torch.arange(len(ctx.classes), device=ctx.model.device).repeat_interleave(NUM_STEPS)
        x = ctx.samples(len(y), y)
        return plotting.samples(x, f"Samples from the prior, one row per class\n{ctx.title}", ctx.classes)
    return plotting.samples(ctx.samples(100), f"Samples from the prior\n{ctx.title}")


@register_figure
def samples_by_temperature(ctx: FigureContext) -> Drawing:
    """Draw samples of a hierarchy at several temperatures, one row each, with the same noise."""
    if not isinstance(ctx.model, VDVAE):
        return None
    labels = torch.arange(NUM_STEPS, device=ctx.model.device) % len(ctx.classes) if ctx.classes else None
    rows = [ctx.samples(NUM_STEPS, labels, temperature=temperature) for temperature in TEMPERATURES]
    names = [f"{temperature:g}" for temperature in TEMPERATURES]
    return plotting.image_grid(torch.stack(rows), f"Samples at several temperatures\n{ctx.title}", names)


@register_figure
def imputations(ctx: FigureContext) -> Drawing:
    """Draw images without their lower half, what Gibbs sampling fills in on average, and the images."""
    x, y = ctx.images(NUM_STEPS)
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
    classes = ctx.classes[:MAX_CLASSES]
    labels = torch.arange(len(classes), device=ctx.model.device).repeat(NUM_SAMPLE_ROWS) if classes else None
    x = ctx.samples(NUM_SAMPLE_ROWS * (len(classes) or NUM_STEPS), labels)
    images = ctx.data.splits["train"].x
    nearest = images[nearest_indices(x, images).to(images.device)].float() / 255
    title = f"Samples from the prior above their nearest training images, by pixels\n{ctx.title}"
    return plotting.nearest_images(x, nearest, title, classes)


# ---------------------------------------------------------------- training


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


# ---------------------------------------------------------------- latent space


@register_figure
def latent_space(ctx: FigureContext) -> Drawing:
    """Plot the means of q(z|x), projected by PCA if there are more than two latents."""
    return scatter(ctx, identity if ctx.model.latent_dim < 3 else pca, 5000)


@register_figure
def latent_space_tsne(ctx: FigureContext) -> Drawing:
    """Plot the means of q(z|x), projected by t-SNE, which takes a few seconds for a thousand images."""
    return scatter(ctx, tsne, 1000) if ctx.model.latent_dim > 2 else None


@register_figure
def latent_space_umap(ctx: FigureContext) -> Drawing:
    """Plot the means of q(z|x), projected by UMAP, which must be installed."""
    return scatter(ctx, umap, 5000) if ctx.model.latent_dim > 2 else None


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
    x, y = ctx.images(n)
    size = ctx.data.eval_batch_size
    means = [
        ctx.model.encode(x[i : i + size], None if y is None else y[i : i + size]).mean for i in range(0, len(x), size)
    ]
    return torch.cat(means), y


@register_figure
def manifold(ctx: FigureContext) -> Drawing:
    """Draw the decoded plane of two latents, spaced evenly in the mass of the prior."""
    return draw_manifold(ctx, quantiles(MANIFOLD_SIZE), "spaced evenly in prior mass")


@register_figure
def manifold_linear(ctx: FigureContext) -> Drawing:
    """Draw the decoded plane of two latents, spaced evenly from -3 to 3."""
    return draw_manifold(ctx, linear_values(MANIFOLD_SIZE), "spaced evenly from \N{MINUS SIGN}3 to 3")


def draw_manifold(ctx: FigureContext, values: Tensor, spacing: str) -> Drawing:
    """Draw the decoded plane; None without exactly two latents and the prior N(0, I).

    A conditional model decodes it with the label of the first image.
    """
    if ctx.model.latent_dim != 2 or ctx.posterior is None or not isinstance(ctx.model.prior, StandardNormal):
        return None
    z = plane(values).to(ctx.model.device)
    y = first_label(ctx, len(z))
    class_name = "" if y is None or not ctx.classes else f", class {ctx.classes[int(y[0])]}"
    return plotting.manifold(ctx.model.decode(z, y).mean, values, f"Latent plane, {spacing}{class_name}\n{ctx.title}")


def first_label(ctx: FigureContext, n: int) -> Tensor | None:
    """Return the label of the first image, repeated n times; None if the model is not conditional."""
    y = ctx.images(1).y
    return y.expand(n, *y.shape[1:]) if ctx.model.condition_dim and y is not None else None


# ---------------------------------------------------------------- traversals and interpolations


@register_figure
def traversals(ctx: FigureContext) -> Drawing:
    """Draw traversals of the latents, one row per latent, starting from the code of the first image."""
    if ctx.posterior is None:
        return None
    latents, ends, names = select_latents(ctx, MAX_TRAVERSED)
    z = traverse(posterior_means(ctx, 1)[0][0], latents, ends, NUM_STEPS).flatten(0, 1)
    rows = ctx.model.decode(z, first_label(ctx, len(z))).mean.unflatten(0, (-1, NUM_STEPS))
    key = "KL" if ctx.posterior.rates is not None else "the variance of their means"
    return plotting.image_grid(rows, f"Traversals of the latents, sorted by {key}\n{ctx.title}", names)


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
    columns = [f"$z_{{{latent + 1}}}$" for latent in latents.tolist()]
    frames = torch.stack(rows).permute(2, 0, 1, 3, 4, 5)  # (T, images, R, C, H, W)
    return plotting.animation(frames, f"Traversals\n{ctx.title}", column_labels=columns)


def select_latents(ctx: FigureContext, n: int) -> tuple[Tensor, Tensor, list[str]]:
    """Return the first latents of `PosteriorStats.order`: indices (R,), R <= n, ends of their ranges (R, 2), labels."""
    assert ctx.posterior is not None
    mu, logvar, _, rates = ctx.posterior
    latents = ctx.posterior.order[:n]
    ends = ranges(mu, logvar)[latents]
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


# ---------------------------------------------------------------- conditional models


@register_figure
def class_swap(ctx: FigureContext) -> Drawing:
    """Draw samples from the prior, then the codes of images, each decoded with every class."""
    classes = ctx.classes[:MAX_CLASSES]
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


@register_figure
def class_traversals(ctx: FigureContext) -> Drawing:
    """Draw a traversal of the latent with the highest rate, one row per class."""
    classes = ctx.classes[:MAX_CLASSES]
    if not classes or ctx.posterior is None:
        return None
    latents, ends, (name,) = select_latents(ctx, 1)
    z = traverse(ctx.posterior.mu.mean(0), latents, ends, NUM_STEPS)[0].repeat(len(classes), 1)
    labels = torch.arange(len(classes), device=z.device).repeat_interleave(NUM_STEPS)
    rows = ctx.model.decode(z, labels).mean.unflatten(0, (-1, NUM_STEPS))
    return plotting.image_grid(rows, f"Traversal of {name}, one row per class\n{ctx.title}", classes)
