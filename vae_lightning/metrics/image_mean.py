"""A mean over images with its standard error, accumulated over batches."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from vae_lightning.metrics.arrays import as_tensor


class MeanAndError(NamedTuple):
    """A mean over images and its uncertainty.

    Attributes:
        mean: the mean over all images.
        error: the standard error of the mean, the standard deviation over √N.
    """

    mean: float
    error: float


class ImageMean(Metric):
    """Mean and standard error of a quantity with one value per image.

    Sums are float64 and are taken over all processes.

    >>> metric = ImageMean()
    >>> metric.update(torch.tensor([1.0, 2.0]))
    >>> metric.update(torch.tensor([3.0]))
    >>> metric.compute()
    MeanAndError(mean=2.0, error=0.5773...)
    """

    full_state_update = False
    count: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("count", "total", "squares"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """Add the values of a batch of images, (B,)."""
        values = values.double()
        self.count += len(values)
        self.total += values.sum()
        self.squares += values.square().sum()

    def compute(self) -> MeanAndError:
        """Return the mean so far and its standard error, which is NaN for a single image."""
        mean = self.total / self.count
        variance = (self.squares / self.count - mean.square()).clamp(min=0) / (self.count - 1)
        return MeanAndError(mean.item(), variance.sqrt().item())


def mean_and_error(values: Any) -> MeanAndError:
    """Return the mean of one value per image of this process, (N,), and its standard error."""
    metric = ImageMean(sync_on_compute=False)
    metric.update(as_tensor(values).cpu())
    return metric.compute()
