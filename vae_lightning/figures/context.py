"""What figures and monitors look at: a model, some images that stay the same, and what it makes of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from vae_lightning.data import Batch, ImageDataModule
from vae_lightning.data.base import binarized
from vae_lightning.distributions import Codes, DiagonalGaussian
from vae_lightning.figures.history import History
from vae_lightning.models import ELBOModule
from vae_lightning.regularizers import kl_per_latent
from vae_lightning.rng import rng_state, set_rng_state

NUM_PROBES = 500  # images that the rate of each latent is averaged over, each epoch
ACTIVE = 0.01  # the variance over images of an active latent's mean (Burda et al. 2016, section 5.2)
GREEK = {"beta": "β", "gamma": "\N{GREEK SMALL LETTER GAMMA}", "lambda_mmd": "λ"}


class PosteriorStats(NamedTuple):
    """What q(z|x) is over some images.

    Attributes:
        mu: its means, (N, D).
        logvar: log σ², (N, D), or None for codes that are points.
        deviation: the means from the prior's, in its σ, (N, D); the means themselves where the prior is no Gaussian.
        rates: the mean KL of each latent to the prior, (D,), in nats; None where it has no closed form of its own.
    """

    mu: Tensor
    logvar: Tensor | None
    deviation: Tensor
    rates: Tensor | None

    @property
    def active(self) -> Tensor:
        """Which latents say something about the image, bool (D,): what the prior knew already does not count."""
        return self.deviation.var(0, correction=0) > ACTIVE

    @property
    def order(self) -> Tensor:
        """The latents, int64 (D,), from the one that says most: by KL, else by the variance of the means."""
        return (self.mu.var(0, correction=0) if self.rates is None else self.rates).argsort(descending=True)


@dataclass
class FigureContext:
    """One model at one time; made where `undisturbed`.

    Args:
        model: in evaluation mode.
        data: whose images are shown.
        title: names model, data, β and epoch.
        history: what was noted after each epoch.
    """

    model: ELBOModule
    data: ImageDataModule
    title: str = ""
    history: History = field(default_factory=History)

    def images(self, n: int) -> Batch:
        """n images, or as many as there are, float (n, C, H, W) in [0, 1], with their labels, on the model's device."""
        return to_device(probe_images(self.data, n), self.model.device)

    @cached_property
    def posterior(self) -> PosteriorStats | None:
        """q(z|x) over the watched images; None for a discrete one."""
        return latest_posterior(self.model, self.data)

    @property
    def class_names(self) -> list[str]:
        """Those of the classes; none for unlabelled data and for attributes."""
        y = self.data.splits["train"].y
        if y is None or y.dim() > 1 or not self.data.num_classes:
            return []
        names = self.data.label_names or [str(k) for k in range(self.data.num_classes)]
        return [re.sub(r"^(\d+) - .*", r"\1", name) for name in names]  # torchvision's "0 - zero"

    @property
    def classes(self) -> list[str]:
        """The names of the classes that a model is conditional on, else none."""
        return self.class_names if self.model.condition_dim else []


def probe_images(data: ImageDataModule, n: int) -> Batch:
    """The first n of a fixed random order of the validation images, as uint8; of the training's where there are none.

    The order matters where a data set is sorted.
    """
    split = data.splits[data.validation_split if len(data.splits[data.validation_split].x) else "train"]
    index = torch.randperm(len(split.x), generator=torch.Generator().manual_seed(0))[:n]
    x = split.x[index]
    if data.binarize == "dynamic":
        x = binarized(x, torch.Generator().manual_seed(0))
    return Batch(x, None if split.y is None else split.y[index])


def to_device(batch: Batch, device: torch.device) -> Batch:
    """uint8 images and labels to float images in [0, 1] and labels, on a device."""
    x, y = batch.to(device)
    return Batch(x.float() / 255, y)


@contextmanager
def isolated_eval(model: ELBOModule) -> Iterator[None]:
    """Look at a model in evaluation mode, without gradients, with other random numbers; then all is as it was."""
    modes = {module: module.training for module in model.modules()}
    state = rng_state()
    model.eval()
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            yield
    finally:
        set_rng_state(state)
        for module, training in modes.items():
            module.training = training


# Several callbacks ask after the same epoch; all but the first are answered from here.
LATEST: WeakKeyDictionary[ELBOModule, tuple[int, PosteriorStats | None]] = WeakKeyDictionary()


def latest_posterior(model: ELBOModule, data: ImageDataModule) -> PosteriorStats | None:
    """q(z|x) over the watched images, computed once for each state of the training; None for a discrete one."""
    seen, posterior = LATEST.get(model, (-1, None))
    if seen != model.images_seen:
        posterior = posterior_stats(model, to_device(probe_images(data, NUM_PROBES), model.device))
        LATEST[model] = model.images_seen, posterior
    return posterior


def posterior_stats(model: ELBOModule, images: Batch) -> PosteriorStats | None:
    """q(z|x) over images, and its KL to the prior; None for a discrete one."""
    out = model(*images)
    n = len(images.x)
    if isinstance(out.qz, Codes):
        return None
    mu = deviation = out.qz.mean[:n]  # IWAE repeats the batch
    logvar = out.qz.logvar[:n] if isinstance(out.qz, DiagonalGaussian) else None
    rates = None
    if isinstance(out.qz, DiagonalGaussian) and isinstance(out.pz, DiagonalGaussian):
        deviation = ((out.qz.mu - out.pz.mu) * torch.exp(-0.5 * out.pz.logvar))[:n]
        rates = kl_per_latent(out.qz, out.pz).mean(0)
    return PosteriorStats(mu, logvar, deviation, rates)


def format_title(name: str, model: ELBOModule, warmup: float, epoch: int) -> str:
    """What every title ends with: the run's name, which holds model and data, the weights, the epoch."""
    weights: dict[str, Any] = model.regularizer.effective_weights(warmup)
    return ", ".join([name, *(f"{GREEK.get(key, key)} = {w:.3g}" for key, w in weights.items()), f"epoch {epoch}"])
