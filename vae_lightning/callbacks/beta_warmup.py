"""β warm-up: the weight of the penalty rises while the model learns to reconstruct."""

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
    # the logistic curve over [-6, 6], scaled to end at 1 exactly
    "sigmoid": lambda p: (1 + math.exp(-6)) / (1 + math.exp(6 - 12 * p)),
}
SCHEDULES = (*RISES, "cyclical")


def warmup_factor(t: int, period: int, schedule: str, cycles: int = 1, ramp: float = 1.0) -> float:
    """The factor on β at time t, in (0, 1]; 1 from t = T on. Linear: min(1, t / T), Eq. 31 of vae-cvae-mnist.

    Args:
        t: epochs or steps, counted from 1, so that nothing is trained at β = 0. The paper's "current epoch t" is read
            so, since its Figure 1 marks the warm-up as "epochs 1-10".
        period: T; 0 for no warm-up.
        schedule: `linear`, `cosine` or `sigmoid`, or `cyclical`: linear rises, again and again (Fu et al. 2019, Eq. 6).
        cycles: for `cyclical`, the number of rises within T.
        ramp: for `cyclical`, the share of each cycle in which β rises; it stays at 1 in the rest. R of Fu et al.
    """
    if t >= period:
        return 1.0
    if schedule == "cyclical":
        cycle = period / cycles
        return min(1.0, ((t - 1) % cycle + 1) / (cycle * ramp))
    return RISES[schedule](t / period)


class BetaWarmup(L.Callback):
    """Set `model.warmup` before each batch, from the trainer's counters alone: right after a resume too.

    Args:
        epochs: the period T in epochs; 0 for no warm-up.
        steps: the period in batches, instead of `epochs`; None to count epochs.
        schedule: one of `SCHEDULES`; see `warmup_factor`.
        cycles: for `cyclical`; each rise takes two epochs or steps at least.
        ramp: for `cyclical`.

    Raises:
        UserError: when the schedule is unknown, both periods are given, or a cycle is too short to rise in.
    """

    def __init__(self, *, epochs: int, steps: int | None, schedule: str, cycles: int, ramp: float) -> None:
        self.schedule = check_choice("callbacks.warmup.schedule", schedule, SCHEDULES)
        if epochs and steps:
            raise UserError("callbacks.warmup: give epochs or steps, not both; type callbacks.warmup.epochs=0")
        self.by_step = steps is not None
        self.period = steps if steps is not None else epochs
        if schedule == "cyclical" and 0 < self.period * ramp < 2 * cycles:
            raise UserError(
                f"callbacks.warmup: {cycles} cycles in {self.period} are too many to rise in; type fewer cycles, or"
                " callbacks.warmup.epochs=0 and callbacks.warmup.steps=... to rise step by step"
            )
        self.cycles, self.ramp = cycles, ramp

    @rank_zero_only
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Say so when nothing rises in a model whose objective is a rise."""
        if isinstance(pl_module.regularizer, Capacity) and not self.period:
            log.warning("model.capacity is there from the start; type callbacks.warmup.epochs=20 to let it rise")

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Set the factor of this batch."""
        assert isinstance(pl_module, ELBOModule)
        batches = trainer.fit_loop.epoch_loop.batch_progress.total.ready  # global_step counts each optimiser's steps
        t = batches if self.by_step else 1 + trainer.current_epoch
        pl_module.warmup = warmup_factor(t, self.period, self.schedule, self.cycles, self.ramp)
