"""β warm-up: the weight of the penalty rises during the first part of training."""

import logging
import math
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only

from vae_lightning.errors import UserError, check_choice
from vae_lightning.models import ELBOModule
from vae_lightning.regularizers import Capacity

log = logging.getLogger(__name__)

RISES = {
    "linear": lambda p: p,
    "cosine": lambda p: (1 - math.cos(math.pi * p)) / 2,
    # the logistic curve over [-6, 6], scaled to end exactly at 1
    "sigmoid": lambda p: (1 + math.exp(-6)) / (1 + math.exp(6 - 12 * p)),
}
SCHEDULES = (*RISES, "cyclical")


def warmup_factor(t: int, period: int, schedule: str, cycles: int = 1, ramp: float = 1.0) -> float:
    """Return the factor on β at time t, in (0, 1]; 1 from t = T on. Linear: min(1, t / T), Eq. 31 of vae-cvae-mnist.

    Args:
        t: epochs or steps, counted from 1, so no step has β = 0. This is how the paper's "current epoch t" is read,
            since its Figure 1 marks the warm-up as "epochs 1-10".
        period: T; 0 for no warm-up.
        schedule: `linear`, `cosine` or `sigmoid`, or `cyclical`: repeated linear rises (Fu et al. 2019, Eq. 6).
        cycles: for `cyclical`, number of rises within T.
        ramp: for `cyclical`, fraction of each cycle in which β rises, before it stays at 1. R of Fu et al.
    """
    if t >= period:
        return 1.0
    if schedule == "cyclical":
        cycle = math.ceil(period / cycles)  # all cycles start alike; the last may be shorter
        return min(1.0, ((t - 1) % cycle + 1) / (cycle * ramp))
    return RISES[schedule](t / period)


def current_time(trainer: L.Trainer, by_step: bool) -> int:
    """Return the number of the current batch or epoch, counted from 1 and over resumed runs."""
    # not `global_step`, which counts the steps of every optimizer
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready if by_step else 1 + trainer.current_epoch


class BetaWarmup(L.Callback):
    """Sets `model.warmup` before each batch from the trainer's counters, so it is correct after resuming as well.

    Args:
        epochs: period T in epochs; 0 for no warm-up.
        steps: period in batches instead of epochs; None to count epochs.
        schedule: one of `SCHEDULES`; see `warmup_factor`.
        cycles: for `cyclical`; each rise takes at least two epochs or steps.
        ramp: for `cyclical`.

    Raises:
        UserError: if the schedule is unknown, both periods are set, or a cycle is too short.
    """

    def __init__(
        self,
        *,
        epochs: int = 0,
        steps: int | None = None,
        schedule: str = "linear",
        cycles: int = 4,
        ramp: float = 0.5,
    ) -> None:
        self.schedule = check_choice("callbacks.warmup.schedule", schedule, SCHEDULES)
        if epochs and steps:
            raise UserError(
                "callbacks.warmup: both epochs and steps are set. Set callbacks.warmup.epochs=0 to count steps."
            )
        self.by_step = steps is not None
        self.period = steps if steps is not None else epochs
        if schedule == "cyclical" and 0 < self.period * ramp < 2 * cycles:
            raise UserError(
                f"callbacks.warmup.cycles={cycles}: too many for a period of {self.period}. Set fewer cycles, or"
                " callbacks.warmup.epochs=0 and callbacks.warmup.steps=... to count steps."
            )
        self.cycles, self.ramp = cycles, ramp

    @rank_zero_only
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Warn if there is no warm-up for a model whose capacity should rise."""
        if isinstance(pl_module.regularizer, Capacity) and not self.period:
            log.warning("model.capacity does not rise without a warm-up. Set callbacks.warmup.epochs=20, for example.")

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Set the factor for this batch."""
        assert isinstance(pl_module, ELBOModule)
        t = current_time(trainer, self.by_step)
        pl_module.warmup = warmup_factor(t, self.period, self.schedule, self.cycles, self.ramp)
