"""What each figure shows of a model: a function a figure, which answers None where the figure makes no sense."""

from collections.abc import Callable, Collection, Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning import figures
from vae_lightning.callbacks.subject import Subject, undisturbed
from vae_lightning.distributions import Codes, StandardNormal
from vae_lightning.errors import UserError
from vae_lightning.figures.interpolations import linear, spherical
from vae_lightning.figures.latent_space import as_it_is, has_umap, pca, tsne, umap
from vae_lightning.figures.manifold import linear_values, plane, quantiles
from vae_lightning.figures.traversals import ranges, row_names, traverse

Drawing = Figure | bytes | None  # bytes: a GIF
STEPS = 10  # images from one end to the other
FRAMES = 14  # of an animation, and as many back
SIDE = 20  # images along each side of a manifold
MOST_ROWS = 32  # latents that are traversed
MOST_CLASSES = 10  # classes side by side
PAIRS = 5  # to go between

DRAWINGS: dict[str, Callable[[Subject], Drawing]] = {}


def drawing(function: Callable[[Subject], Drawing]) -> Callable[[Subject], Drawing]:
    """Enter a function under its name, that of the file and of TensorBoard's tag."""
    DRAWINGS[function.__name__] = function
    return function


def check_names(option: str, names: Collection[str]) -> None:
    """Refuse what cannot be drawn before the training, not after it.

    Raises:
        UserError: when a name is none of `DRAWINGS`, or needs a package that is not installed.
    """
    for name in names:
        if name not in DRAWINGS:
            raise UserError(f"{option}={name}: choose from {', '.join(DRAWINGS)}")
    if "latent_space_umap" in names and not has_umap():
        raise UserError(f"{option}=latent_space_umap needs a package: type pip install umap-learn, or leave it out")


def draw(subject: Subject, names: Collection[str]) -> Iterator[tuple[str, Figure | bytes]]:
    """Those of the figures that make sense, each with its name."""
    with undisturbed(subject.model):
        for name in names:
            drawn = DRAWINGS[name](subject)
            if drawn is not None:
                yield name, drawn


# ---------------------------------------------------------------- images


@drawing
def reconstructions(s: Subject) -> Drawing:
    """Images above what the model makes of them."""
    x, y = s.images(30)
    return figures.reconstructions(x, s.model.reconstruct(x, y), f"Reconstructions\n{s.title}")


@drawing
def samples(s: Subject) -> Drawing:
    """Draws from the prior; for a conditional model by class, or with the attributes of images."""
    noise = torch.Generator().manual_seed(0)
    if s.classes:
        y = torch.arange(len(s.classes), device=s.model.device).repeat_interleave(STEPS)
        x = s.model.sample(len(y), y, noise)
        return figures.samples(x, f"Samples from the prior, a row a class\n{s.title}", s.classes)
    labels = s.images(100).y if s.model.condition_dim else None
    x = s.model.sample(100 if labels is None else len(labels), labels, noise)
    return figures.samples(x, f"Samples from the prior\n{s.title}")


# ---------------------------------------------------------------- training


@drawing
def training_curves(s: Subject) -> Drawing:
    """Distortion, rate and their ratio."""
    if not s.history.train:
        return None
    return figures.training_curves(s.history.train, s.history.val, f"Training\n{s.title}")


@drawing
def rate_per_latent(s: Subject) -> Drawing:
    """A bar a latent."""
    if s.posterior is None or s.posterior.rates is None:
        return None
    return figures.rate_per_latent(s.posterior.rates, s.posterior.active, f"Rate of each latent\n{s.title}")


@drawing
def rate_history(s: Subject) -> Drawing:
    """A row a latent, over the training."""
    return figures.rate_history(s.history.rates, f"Rate of each latent\n{s.title}") if s.history.rates else None


# ---------------------------------------------------------------- latent space


@drawing
def latent_space(s: Subject) -> Drawing:
    """Means as they are in one or two dimensions, by PCA in more."""
    return scatter(s, as_it_is if s.model.latent_dim < 3 else pca, 5000)


@drawing
def latent_space_tsne(s: Subject) -> Drawing:
    """Means by t-SNE, which takes some seconds for a thousand images."""
    return scatter(s, tsne, 1000) if s.model.latent_dim > 2 else None


@drawing
def latent_space_umap(s: Subject) -> Drawing:
    """Means by UMAP, if it is installed."""
    return scatter(s, umap, 5000) if s.model.latent_dim > 2 else None


def scatter(s: Subject, project: Callable[[Tensor], tuple], n: int) -> Drawing:
    """The means of n images by one of the projections; none of a model that has come to nothing, or of few images."""
    mu, y = means(s, n)
    if len(mu) < 3 or not mu.isfinite().all():
        return None
    points, axis_labels = project(mu)
    what = f"Latent space of {len(mu):,} images"
    return figures.scatter(points, y if s.class_names else None, f"{what}\n{s.title}", axis_labels, s.class_names)


def means(s: Subject, n: int) -> tuple[Tensor, Tensor | None]:
    """The posterior's means of n images, (n, D), and the labels; encoded in parts, as in a validation."""
    x, y = s.images(n)
    size = s.data.eval_batch_size
    parts = [
        s.model.encode(x[i : i + size], None if y is None else y[i : i + size]).mean for i in range(0, len(x), size)
    ]
    return torch.cat(parts), y


@drawing
def manifold(s: Subject) -> Drawing:
    """The plane of two latents, evenly by the prior's mass."""
    return manifold_of(s, quantiles(SIDE), "evenly in the prior's mass")


@drawing
def manifold_linear(s: Subject) -> Drawing:
    """The plane of two latents, from -3 to 3."""
    return manifold_of(s, linear_values(SIDE), "from \N{MINUS SIGN}3 to 3")


def manifold_of(s: Subject, values: Tensor, how: str) -> Drawing:
    """A plane of N(0, I), for a conditional model that of the first image's class."""
    if s.model.latent_dim != 2 or s.posterior is None or not isinstance(s.model.prior, StandardNormal):
        return None
    z = plane(values).to(s.model.device)
    y = first_label(s, len(z))
    of_class = "" if y is None or not s.classes else f", class {s.classes[int(y[0])]}"
    return figures.manifold(s.model.decode(z, y).mean, values, f"Latent plane, {how}{of_class}\n{s.title}")


def first_label(s: Subject, n: int) -> Tensor | None:
    """The label of the first image, n times; None for a model that is not conditional."""
    y = s.images(1).y
    return y.expand(n, *y.shape[1:]) if s.model.condition_dim and y is not None else None


# ---------------------------------------------------------------- ways through the latent space


@drawing
def traversals(s: Subject) -> Drawing:
    """A row a latent, from the first image's code."""
    if s.posterior is None:
        return None
    latents, ends, names = traversed(s, MOST_ROWS)
    z = traverse(means(s, 1)[0][0], latents, ends, STEPS).flatten(0, 1)
    rows = s.model.decode(z, first_label(s, len(z))).mean.unflatten(0, (-1, STEPS))
    by = "KL" if s.posterior.rates is not None else "the variance of their means"
    return figures.image_grid(rows, f"Traversals of the latents, by {by}\n{s.title}", names)


@drawing
def traversals_animation(s: Subject) -> Drawing:
    """A column a latent, a row an image; all latents go from end to end together."""
    if s.posterior is None:
        return None
    latents, ends, _ = traversed(s, STEPS)
    codes, y = means(s, 3)
    rows = []
    for code, label in zip(codes, [None] * len(codes) if y is None else y, strict=True):
        z = traverse(code, latents, ends, FRAMES).flatten(0, 1)
        labels = None if label is None else label.expand(len(z), *label.shape)
        rows.append(s.model.decode(z, labels).mean.unflatten(0, (-1, FRAMES)))  # (R, T, C, H, W)
    columns = [f"$z_{{{latent + 1}}}$" for latent in latents.tolist()]
    frames = torch.stack(rows).permute(2, 0, 1, 3, 4, 5)  # (T, images, R, C, H, W)
    return figures.animation(frames, f"Traversals\n{s.title}", column_labels=columns)


def traversed(s: Subject, most: int) -> tuple[Tensor, Tensor, list[str]]:
    """The latents to traverse, (R,), their ends, (R, 2), and a name for each."""
    assert s.posterior is not None
    mu, logvar, _, rates = s.posterior
    latents = s.posterior.order[:most]
    ends = ranges(mu, logvar)[latents]
    return latents, ends, row_names(latents, ends, None if rates is None else rates[latents])


@drawing
def interpolations(s: Subject) -> Drawing:
    """Straight lines and arcs between the codes of pairs of images; a conditional model's pairs are of one class."""
    x, y = s.images(200)
    pairs = pairs_of(len(x), y if s.model.condition_dim else None).to(x.device)  # (P, 2)
    if not len(pairs) or isinstance(q := s.model.encode(x, y), Codes):  # there is nothing between two codes
        return None
    a, b = q.mean[pairs].unbind(1)
    ways = {"linear": linear(a, b, STEPS)}
    if s.model.latent_dim > 1:
        ways["spherical"] = spherical(a, b, STEPS)
    labels = None if y is None else y[pairs[:, 0]].repeat_interleave(STEPS, 0)
    images = {way: s.model.decode(z.flatten(0, 1), labels).mean.unflatten(0, (-1, STEPS)) for way, z in ways.items()}
    return figures.interpolations(x[pairs], images, f"Interpolations between the codes of two images\n{s.title}")


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


@drawing
def class_swap(s: Subject) -> Drawing:
    """One z in every class: draws from the prior, then the codes of images."""
    classes = s.classes[:MOST_CLASSES]
    if not classes:
        return None
    x, y = s.images(6)
    assert y is not None
    drawn = s.model.draw(len(y[:4]), y[:4], torch.Generator().manual_seed(0))
    z = torch.cat([drawn, s.model.encode(x, y).mean])
    labels = torch.arange(len(classes), device=x.device).repeat(len(z))
    rows = s.model.decode(z.repeat_interleave(len(classes), 0), labels).mean.unflatten(0, (len(z), -1))
    title = f"One latent in every class: draws from the prior, and the style of images\n{s.title}"
    return figures.class_swap(rows[: len(drawn)], x, rows[len(drawn) :], classes, title)


@drawing
def class_traversals(s: Subject) -> Drawing:
    """The latent with the highest rate from end to end, a row a class."""
    classes = s.classes[:MOST_CLASSES]
    if not classes or s.posterior is None:
        return None
    latents, ends, (name,) = traversed(s, 1)
    z = traverse(s.posterior.mu.mean(0), latents, ends, STEPS)[0].repeat(len(classes), 1)
    labels = torch.arange(len(classes), device=z.device).repeat_interleave(STEPS)
    rows = s.model.decode(z, labels).mean.unflatten(0, (-1, STEPS))
    return figures.image_grid(rows, f"Traversal of {name} in each class\n{s.title}", classes)
