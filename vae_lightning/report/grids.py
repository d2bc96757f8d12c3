"""Reconstructions, samples and traversals of several runs side by side."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.checkpointing.run_loading import LoadedRun
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.plotting import compare_reconstructions, compare_samples, compare_traversals
from vae_lightning.plotting.traversals import traverse

NUM_IMAGES, NUM_SAMPLES, NUM_STEPS, NUM_LATENTS = 10, 36, 8, 3


class ModelImages(NamedTuple):
    """The images of one model.

    Attributes:
        x: data, (N, C, H, W) in [0, 1].
        reconstructions: their reconstructions.
        samples: samples from the prior, (M, C, H, W).
        traversals: traversals of the most informative latents, (L, steps, C, H, W); None for discrete codes.
        ranges: the start and the end of each traversal, (L, 2); None for discrete codes.
    """

    x: Tensor
    reconstructions: Tensor
    samples: Tensor
    traversals: Tensor | None
    ranges: Tensor | None


def grids(models: Mapping[str, ModelImages]) -> dict[str, Figure]:
    """Draw the figures that compare models of the same data, by name.

    Args:
        models: the images of each model, by the name to show in the figures.
    """
    x = next(iter(models.values())).x
    reconstructions = {name: images.reconstructions for name, images in models.items()}
    samples = {name: images.samples for name, images in models.items()}
    figures: dict[str, Callable[[], Figure]] = {
        "reconstructions": lambda: compare_reconstructions(x, reconstructions, "Reconstructions of the same images"),
        "samples": lambda: compare_samples(samples, "Samples from the prior"),
    }
    traversals = {name: images.traversals for name, images in models.items() if images.traversals is not None}
    ends = {name: images.ranges for name, images in models.items() if images.ranges is not None}
    n = min(map(len, ends.values()), default=0)
    if n:
        figures["traversals"] = lambda: compare_traversals(
            {name: images[:n] for name, images in traversals.items()},
            {name: bounds[:n] for name, bounds in ends.items()},
            [f"latent {i + 1}" for i in range(n)],
            "Traversals of the latents with the highest KL",
        )
    return {name: draw() for name, draw in figures.items()}


def model_images(run: LoadedRun) -> ModelImages:
    """Compute the images of a run's best model, from the first of its probe images."""
    context = FigureContext(run.model, run.data)
    x, y = context.images(NUM_IMAGES)
    model = run.model
    with isolated_eval(model):
        samples = context.samples(NUM_SAMPLES)
        traversals, ends = None, None
        if context.posterior is not None:
            latents = context.posterior.order[:NUM_LATENTS]
            ends = context.ranges[latents]
            z = traverse(model.encode(x, y).mean[0], latents, ends, NUM_STEPS).flatten(0, 1)
            first_label = None if y is None else y[:1].expand(len(z), *y.shape[1:])
            traversals = model.decode(z, first_label).mean.unflatten(0, (-1, NUM_STEPS))
        return ModelImages(x, model.reconstruct(x, y), samples, traversals, ends)
