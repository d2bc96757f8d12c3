"""What the runs make of the same images, side by side."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_lightning.callbacks.subject import Subject, undisturbed
from vae_lightning.figures import compare_reconstructions, compare_samples, compare_traversals
from vae_lightning.figures.traversals import ranges, traverse
from vae_lightning.finished import FinishedRun, open_run

IMAGES, SAMPLES, STEPS, FEATURES = 10, 36, 8, 3


class Shown(NamedTuple):
    """What one model makes.

    Attributes:
        x: images, (N, C, H, W) in [0, 1].
        reconstructed: the same, by the model.
        sampled: draws from the prior, (M, C, H, W).
        traversed: the latents with the most to say, from end to end, (F, steps, C, H, W); None for discrete codes.
        ends: from where to where, (F, 2).
    """

    x: Tensor
    reconstructed: Tensor
    sampled: Tensor
    traversed: Tensor | None
    ends: Tensor | None


def grids(folders: Mapping[str, object], trust: tuple[str, ...] = ()) -> dict[str, Figure]:
    """The comparing figures of some runs on the same data, by name.

    Args:
        folders: the runs' folders, by the name that stands in the figures.
        trust: packages of your own whose classes the checkpoints may name.

    Raises:
        UserError: when a run cannot be opened, or its data is no longer there.
    """
    shown = {name: look(open_run(str(folder), trust=trust)) for name, folder in folders.items()}
    x = next(iter(shown.values())).x
    figures: dict[str, Callable[[], Figure]] = {
        "reconstructions": lambda: compare_reconstructions(
            x, {name: s.reconstructed for name, s in shown.items()}, "Reconstructions of the same images"
        ),
        "samples": lambda: compare_samples({name: s.sampled for name, s in shown.items()}, "Samples from the prior"),
    }
    walked = {name: s for name, s in shown.items() if s.traversed is not None and s.ends is not None}
    features = min((len(s.ends) for s in walked.values() if s.ends is not None), default=0)
    if features:
        figures["traversals"] = lambda: compare_traversals(
            {name: s.traversed[:features] for name, s in walked.items() if s.traversed is not None},
            {name: s.ends[:features] for name, s in walked.items() if s.ends is not None},
            [f"latent {i + 1}" for i in range(features)],
            "Traversals of the latents with the highest KL",
        )
    return {name: draw() for name, draw in figures.items()}


def look(run: FinishedRun) -> Shown:
    """What a run's best model makes of the first of its watched images."""
    subject = Subject(run.model, run.data)
    x, y = subject.images(IMAGES)
    model = run.model
    with undisturbed(model):
        labels = None
        if model.condition_dim:
            labels = subject.images(SAMPLES).y
        n = SAMPLES if labels is None else len(labels)
        sampled = model.sample(n, labels, torch.Generator().manual_seed(0))
        traversed, ends = None, None
        if subject.posterior is not None:
            latents = subject.posterior.order[:FEATURES]
            ends = ranges(subject.posterior.mu, subject.posterior.logvar)[latents]
            z = traverse(model.encode(x, y).mean[0], latents, ends, STEPS).flatten(0, 1)
            of_first = None if y is None else y[:1].expand(len(z), *y.shape[1:])
            traversed = model.decode(z, of_first).mean.unflatten(0, (-1, STEPS))
        return Shown(x, model.reconstruct(x, y), sampled, traversed, ends)
