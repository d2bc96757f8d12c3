"""What the training was like, epoch by epoch: the material of its curves."""

from dataclasses import dataclass, field
from typing import Any

import lightning as L


@dataclass
class History:
    """Everything is kept by the number of training images seen when it was noted.

    Attributes:
        train: the training's metrics of each epoch, and its `warmup`.
        val: the validation's.
        rates: the KL of each latent, D values in nats.
    """

    train: dict[int, dict[str, float]] = field(default_factory=dict)
    val: dict[int, dict[str, float]] = field(default_factory=dict)
    rates: dict[int, list[float]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """All of it, as plain containers; not a copy, which of a thousand epochs would take long."""
        return dict(vars(self))


def stage_metrics(trainer: L.Trainer, stage: str) -> dict[str, float]:
    """The metrics logged last of a stage, without its name before theirs."""
    start = f"{stage}/"
    return {
        name[len(start) :]: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(start)
    }
