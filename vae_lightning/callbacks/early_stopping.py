"""Ending the training when it no longer improves the model."""

from typing import Any

import lightning.pytorch.callbacks

from vae_lightning.runs.metrics import monitor_mode


class EarlyStopping(lightning.pytorch.callbacks.EarlyStopping):
    """Lightning's `EarlyStopping`, whose mode follows from the monitor as that of `Checkpoint` does.

    A resumed run has the patience of its configuration, not of the checkpoint.

    Args:
        monitor: the metric that has to improve.
        mode: `min` or `max`; None for `max` if a higher value of the monitor is better, and else `min`.
        patience: number of validations without a better value after which the training ends.
        **options: arguments of Lightning's `EarlyStopping`.
    """

    def __init__(
        self, *, monitor: str = "val/objective", mode: str | None = None, patience: int = 20, **options: Any
    ) -> None:
        super().__init__(monitor, mode=mode or monitor_mode(monitor), patience=patience, **options)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best value and the number of validations since."""
        super().load_state_dict({**state_dict, "patience": self.patience})
