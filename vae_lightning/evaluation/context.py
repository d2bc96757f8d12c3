"""The model under evaluation, and the images it is evaluated on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from vae_lightning.checkpointing.run_loading import LoadedRun
from vae_lightning.data import Batch, ImageDataModule
from vae_lightning.data.labels import UNKNOWN
from vae_lightning.errors import UserError
from vae_lightning.evaluation.fingerprint import fingerprint
from vae_lightning.evaluation.settings import Settings
from vae_lightning.evaluation.unfinished import Unfinished
from vae_lightning.metrics.passes import Collect, Track
from vae_lightning.models import ELBOModule
from vae_lightning.models.encoding import Encoded, encode
from vae_lightning.models.log_px import importance_log_terms
from vae_lightning.pixels import max_value
from vae_lightning.rng import isolated_rng

BATCH_SIZE = 250  # images per pass


class EvaluationContext:
    """The model of a finished run on a device, and the images of one split in random order.

    Args:
        run: the run.
        settings: the sample counts.
        device: where to compute.
        progress: (range, description) -> the range, wrapped in a progress bar.
        unfinished: where long computations are kept if they are interrupted.

    Attributes:
        images: the images and their labels.
    """

    def __init__(
        self,
        run: LoadedRun,
        settings: Settings,
        device: torch.device,
        progress: Callable[[range, str], Iterable[int]],
        unfinished: Unfinished,
    ) -> None:
        self.run, self.data, self.settings, self.device = run, run.data, settings, device
        self.model: ELBOModule = run.model.to(device)
        self.progress, self.unfinished = progress, unfinished
        self.images = self.draw_images(settings.split, settings.images)

    def variant(
        self, *, model: ELBOModule | None = None, data: ImageDataModule | None = None, **changes: Any
    ) -> "EvaluationContext":
        """Return a context with another model, other data or other settings, whose images are drawn again."""
        run = self.run._replace(model=model or self.model, data=data or self.data)
        return EvaluationContext(run, replace(self.settings, **changes), self.device, self.progress, self.unfinished)

    def draw_images(self, split: str, n: int) -> Batch:
        """Draw at most n images of a split in random order, binarized if the run's images were.

        Raises:
            UserError: if the split is empty.
        """
        if not len(self.data.splits[split].x):
            raise UserError(f"--split={split}: this run has no {split} images. Use --split test.")
        return draw_images(self.data, split, n, self.settings.seed)

    def track(self, description: str) -> Track:
        """Return a function that wraps a range in a progress bar with a description."""
        return lambda steps: self.progress(steps, description)

    def collect(self, description: str, n: int) -> Collect:
        """Return a function that computes passes with a progress bar, and continues after an interruption.

        Args:
            description: what is computed, for the progress bar.
            n: the number of images.
        """
        name = fingerprint(self.x, self.y, torch.tensor(n), *self.model.state_dict().values())
        file = "".join(c if c.isalnum() else "_" for c in description) + f"-{name}"
        return lambda passes, compute: self.unfinished.collect(file, passes, compute, self.track(description))

    @property
    def x(self) -> Tensor:
        """The images, uint8 or float32 in [0, 1], (N, C, H, W)."""
        return self.images.x

    @property
    def y(self) -> Tensor | None:
        """Their labels, (N,) or (N, A), or None."""
        return self.images.y

    @property
    def name(self) -> str:
        """Name of the model's class."""
        return type(self.model).__name__

    @cached_property
    def is_binary(self) -> bool:
        """Whether every pixel is black or white."""
        return bool(((self.x == 0) | (self.x == max_value(self.x))).all())

    def batches(self, images: Batch) -> Iterator[Batch]:
        """Iterate over images in batches on the device."""
        return (batch.to(self.device) for batch in images.split(BATCH_SIZE))

    @cached_property
    def encoded(self) -> Encoded:
        """The encoder's output for the images."""
        return encode(self.model, self.batches(self.images), self.settings.seed)

    def rows(self, indices: Tensor) -> Batch:
        """Return some images, float (n, C, H, W) in [0, 1], and their labels, on the device."""
        x, y = self.images.rows(indices).to(self.device)
        return Batch(self.model.as_images(x), y)

    def labels(self, index: Tensor | slice) -> Tensor | None:
        """Return the labels of some images on the device, if there are any."""
        return None if self.y is None else self.y[index].to(self.device)

    def importance_log_terms(self, indices: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p(x|z) and log p(z) - log q(z|x) of the draws given by noise, (b, k), for `log_likelihood`."""
        flat_noise = noise.transpose(0, 1).flatten(0, 1).to(self.device)
        log_px, log_ratio = importance_log_terms(self.model, *self.rows(indices), noise.shape[1], flat_noise)
        return log_px.T, log_ratio.T

    def sample_prior(self, n: int) -> Tensor:
        """Draw n latents from the prior, (n, D) on the CPU; for a conditional model, given the labels of n images."""
        generator = torch.Generator().manual_seed(2 * self.settings.seed + 1)  # odd; `encode` uses even seeds
        return self.model.sample_prior(n, self.labels(slice(n)), generator).cpu()


def draw_images(data: ImageDataModule, split: str, n: int, seed: int) -> Batch:
    """Draw at most n images of a split in random order, binarized if those of training are.

    Those whose class is not given are left out.
    """
    images = data.splits[split].rows(draw_index(data, split, n, seed))
    with isolated_rng(seed):
        return data.transform(images, training=False)


def draw_index(data: ImageDataModule, split: str, n: int, seed: int) -> Tensor:
    """Return the indices of the images that `draw_images` draws, (n,)."""
    x, y = data.splits[split]
    index = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    if y is not None and y.dim() == 1:
        index = index[y[index] != UNKNOWN]
    return index[:n]
