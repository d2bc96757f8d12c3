"""The inputs of figures and monitors: a model, a fixed set of images, and their posterior."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from vae_lightning.data import Batch, ImageDataModule
from vae_lightning.figures.history import History
from vae_lightning.figures.posterior_stats import PosteriorStats, latest_posterior
from vae_lightning.figures.probe_images import probe_images, to_device
from vae_lightning.models import ELBOModule
from vae_lightning.plotting.traversals import ranges
from vae_lightning.regularizers import NoPenalty

MAX_CLASSES = 100  # that a figure can show
MAX_SHOWN_CLASSES = 10  # that a figure shows with a row or panel each
GREEK = {
    **{"alpha": "\N{GREEK SMALL LETTER ALPHA}", "beta": "β", "gamma": "\N{GREEK SMALL LETTER GAMMA}"},
    **{"lambda_adv": "λ", "lambda_mmd": "λ", "lambda_sw": "λ", "lambda_d": "λ_d", "lambda_od": "λ_od"},
}


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
    def has_free_codes(self) -> bool:
        """Whether no penalty brings the codes close to the prior, as in an autoencoder."""
        return isinstance(self.model.regularizer, NoPenalty)

    @property
    def ranges(self) -> Tensor:
        """The range of each latent that traversals show, (D, 2), within the support of a continuous posterior."""
        assert self.posterior is not None
        posterior = self.model.posterior
        shown = ranges(self.posterior.centers, self.posterior.logvar)
        return shown.clamp(posterior.lower_bound, posterior.upper_bound)

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
