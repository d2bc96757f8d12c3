"""Ending the training when it no longer improves the model."""

from typing import Any

import lightning.pytorch.callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from vae_lightning.runs.metrics import monitor_mode


class EarlyStopping(lightning.pytorch.callbacks.EarlyStopping):
    """Lightning's `EarlyStopping`, whose mode follows from the monitor as that of `Checkpoint` does.

    A resumed run has the patience of its configuration, not of the checkpoint, so a larger one continues a run that has
    stopped. A metric under `train/` is monitored after each epoch, whenever the model is validated.

    Args:
        monitor: the metric that has to improve.
        mode: `min` or `max`; None for `max` if a higher value of the monitor is better, and else `min`.
        patience: number of validations without a better value after which the training ends.
        **options: arguments of Lightning's `EarlyStopping`.
    """

    def __init__(
        self, *, monitor: str = "val/objective", mode: str | None = None, patience: int = 20, **options: Any
    ) -> None:
        if monitor.startswith("train/"):
            options.setdefault("check_on_train_epoch_end", True)
        super().__init__(monitor, mode=mode or monitor_mode(monitor), patience=patience, **options)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best value and the number of validations since."""
        super().load_state_dict({**state_dict, "patience": self.patience})
        if not has_stopped(self, state_dict):
            self.stopping_reason = EarlyStoppingReason.NOT_STOPPED


def has_stopped(callback: lightning.pytorch.callbacks.EarlyStopping, state: dict[str, Any] | None) -> bool:
    """Return whether the training has ended, given the callback's patience and its state in a checkpoint, if any."""
    if state is None:
        return False
    reason = EarlyStoppingReason(state["stopping_reason"])
    if reason is EarlyStoppingReason.PATIENCE_EXHAUSTED:
        return bool(state["wait_count"] >= callback.patience)
    return reason is not EarlyStoppingReason.NOT_STOPPED
