"""The metrics of a training run, epoch by epoch, which the training curves are drawn from."""

from dataclasses import dataclass, field
from typing import Any

import lightning as L


@dataclass
class History:
    """Metrics by the number of training images seen when they were recorded.

    Attributes:
        train: training images seen -> the training metrics of that epoch, and its `warmup`.
        val: training images seen -> the validation metrics.
        rates: training images seen -> the KL of each latent, D values in nats.
    """

    train: dict[int, dict[str, float]] = field(default_factory=dict)
    val: dict[int, dict[str, float]] = field(default_factory=dict)
    rates: dict[int, list[float]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """Return the attributes as plain containers. They are not copied, which would be slow after many epochs."""
        return dict(vars(self))


def stage_metrics(trainer: L.Trainer, stage: str) -> dict[str, float]:
    """Return the metrics of a stage that were logged last, with names that lack the prefix, such as `train/`."""
    prefix = f"{stage}/"
    return {
        name.removeprefix(prefix): value.item()
        for name, value in trainer.callback_metrics.items()
        if name.startswith(prefix)
    }
