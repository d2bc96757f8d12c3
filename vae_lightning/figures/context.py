"""The inputs of figures and monitors: a model, a fixed set of images, and their posterior."""

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
from vae_lightning.distributions.posterior import ACTIVE_UNIT_VARIANCE
from vae_lightning.figures.history import History
from vae_lightning.models import ELBOModule
from vae_lightning.posteriors import JointDistribution
from vae_lightning.regularizers import kl_per_latent
from vae_lightning.rng import rng_state, set_rng_state

NUM_PROBES = 500  # images over which the rate of each latent is averaged after each epoch
MAX_CLASSES = 100  # that a figure can show
MAX_SHOWN_CLASSES = 10  # that a figure shows with a row or panel each
GREEK = {"beta": "β", "gamma": "\N{GREEK SMALL LETTER GAMMA}", "lambda_adv": "λ", "lambda_mmd": "λ", "lambda_sw": "λ"}


class PosteriorStats(NamedTuple):
    """Statistics of q(z|x) over N images. If it has categories as well, D is the number of the continuous latents.

    Attributes:
        mu: the means, (N, D).
        logvar: log σ², (N, D), or None for deterministic codes.
        deviation: (mu - mean of the prior) / σ of the prior, (N, D); `mu` itself unless q(z|x) and p(z) are diagonal
            Gaussians.
        rates: the mean KL of each latent, (D,), in nats, or None if the KL has no closed form per latent.
    """

    mu: Tensor
    logvar: Tensor | None
    deviation: Tensor
    rates: Tensor | None

    @property
    def active(self) -> Tensor:
        """Whether each latent is active, bool (D,): whether the variance of `deviation` exceeds ACTIVE_UNIT_VARIANCE.

        Information that a conditional prior already has does not count.
        """
        return self.deviation.var(0, correction=0) > ACTIVE_UNIT_VARIANCE

    @property
    def order(self) -> Tensor:
        """Indices of the latents, int64 (D,), sorted by descending KL, or by the variance of the means without a KL."""
        return (self.mu.var(0, correction=0) if self.rates is None else self.rates).argsort(descending=True)


@dataclass
class FigureContext:
    """The inputs of all figures of a model. Use it inside `isolated_eval`.

    Args:
        model: in eval mode.
        data: the data module whose images are drawn.
        title: the last line of each title: model, data, β and epoch.
        history: the metrics of all epochs so far.
    """

    model: ELBOModule
    data: ImageDataModule
    title: str = ""
    history: History = field(default_factory=History)

    def images(self, n: int) -> Batch:
        """Return n probe images, or fewer if there are not as many, and their labels, on the model's device.

        The images are float (n, C, H, W) in [0, 1].
        """
        return to_device(probe_images(self.data, n), self.model.device)

    def samples(self, n: int, labels: Tensor | None = None, **options: Any) -> Tensor:
        """Sample n images from the prior, the same each time, (n, C, H, W) in [0, 1].

        Args:
            n: number of images; fewer if labels have to be taken from fewer images.
            labels: of a conditional model, (n,) or (n, K); by default those of the probe images.
            **options: of the model's `sample_prior`.
        """
        if labels is None and self.model.condition_dim:
            labels = self.images(n).y
        n = n if labels is None else len(labels)
        return self.model.sample(n, labels, torch.Generator().manual_seed(0), **options)

    @cached_property
    def posterior(self) -> PosteriorStats | None:
        """Statistics of q(z|x) over the probe images; None for a discrete posterior."""
        return latest_posterior(self.model, self.data)

    @property
    def class_names(self) -> list[str]:
        """Names of the classes; empty for unlabeled data, for attributes, and for more than `MAX_CLASSES`."""
        y = self.data.splits["train"].y
        if y is None or y.dim() > 1 or not self.data.num_classes or self.data.num_classes > MAX_CLASSES:
            return []
        names = self.data.label_names or [str(k) for k in range(self.data.num_classes)]
        return [re.sub(r"^(\d+) - .*", r"\1", name) for name in names]  # torchvision names MNIST's digits "0 - zero"

    @property
    def classes(self) -> list[str]:
        """Names of the classes that the model is conditional on; empty if it is not."""
        return self.class_names if self.model.condition_dim else []

    @property
    def shown_classes(self) -> list[str]:
        """The first of `classes`, for figures with a row or panel per class."""
        return self.classes[:MAX_SHOWN_CLASSES]

    def first_label(self, n: int) -> Tensor | None:
        """Return the label of the first probe image, repeated n times; None if the model is not conditional."""
        y = self.images(1).y
        return y.expand(n, *y.shape[1:]) if self.model.condition_dim and y is not None else None


def probe_images(data: ImageDataModule, n: int) -> Batch:
    """Return the first n validation images in a fixed random order, as uint8, and their labels.

    If there are no validation images, training images are used. The order is random because a data set may be sorted.
    """
    split = data.splits[data.validation_split if len(data.splits[data.validation_split].x) else "train"]
    index = torch.randperm(len(split.x), generator=torch.Generator().manual_seed(0))[:n]
    x = split.x[index]
    if data.binarize == "dynamic":
        x = binarized(x, torch.Generator().manual_seed(0))
    return Batch(x, None if split.y is None else split.y[index])


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch to a device and convert its images from uint8 to float in [0, 1]."""
    x, y = batch.to(device)
    return Batch(x.float() / 255, y)


@contextmanager
def isolated_eval(model: ELBOModule) -> Iterator[None]:
    """Run a block in eval mode, without gradients and with its own random seed.

    Afterwards, the mode of each submodule and the state of all random number generators are restored.
    """
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


# Several callbacks use the posterior of the same epoch: model -> images seen and posterior.
POSTERIOR_CACHE: WeakKeyDictionary[ELBOModule, tuple[int, PosteriorStats | None]] = WeakKeyDictionary()


def latest_posterior(model: ELBOModule, data: ImageDataModule) -> PosteriorStats | None:
    """Return statistics of q(z|x) over the probe images, or None for a discrete posterior.

    They are computed once per number of training images seen.
    """
    seen, posterior = POSTERIOR_CACHE.get(model, (-1, None))
    if seen != model.images_seen:
        posterior = posterior_stats(model, to_device(probe_images(data, NUM_PROBES), model.device))
        POSTERIOR_CACHE[model] = model.images_seen, posterior
    return posterior


def posterior_stats(model: ELBOModule, images: Batch) -> PosteriorStats | None:
    """Compute statistics of q(z|x) over images, and its KL to the prior; None for a discrete posterior."""
    out = model(*images)
    n = len(images.x)
    if isinstance(out.qz, Codes):
        return None
    q, p = (out.qz.gaussian, out.pz.gaussian) if isinstance(out.qz, JointDistribution) else (out.qz, out.pz)
    if q.mean.shape[1] == 0:
        return None
    mu = deviation = q.mean[:n]  # IWAE and M2 repeat the batch
    logvar = q.logvar[:n] if isinstance(q, DiagonalGaussian) else None
    rates = None
    if isinstance(q, DiagonalGaussian) and isinstance(p, DiagonalGaussian):
        deviation = ((q.mu - p.mu) * torch.exp(-0.5 * p.logvar))[:n]
        rates = kl_per_latent(q, p)[:n].mean(0)
    return PosteriorStats(mu, logvar, deviation, rates)


def format_title(name: str, model: ELBOModule, warmup: float, epoch: int) -> str:
    """Return the last line of each title: the name of the run, the weights of the regularizer, and the epoch.

    Args:
        name: of the run, which includes the model and the data.
        model: whose weights are listed.
        warmup: the factor on the weights in this epoch.
        epoch: counted from 1.
    """
    weights: dict[str, Any] = model.regularizer.effective_weights(warmup)
    return ", ".join([name, *(f"{GREEK.get(key, key)} = {w:.3g}" for key, w in weights.items()), f"epoch {epoch}"])
