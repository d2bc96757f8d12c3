"""Averaging the weights over the steps of the training."""

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from vae_lightning.figures.posterior_stats import POSTERIOR_CACHE
from vae_lightning.models import ELBOModule


class WeightEMA(WeightAveraging):
    """Exponential moving average of the weights, which is validated, tested, saved and, after training, drawn.

    This is Lightning's `WeightAveraging`, with these differences:

    - After n steps the decay is at most (1 + n) / (10 + n), as in TensorFlow's `ExponentialMovingAverage`, so the
      average of a short run does not consist of the initial weights.
    - All weights are averaged in one call.
    - Testing the best checkpoint uses the average. Lightning 2.6 restores the last weights instead.

    A checkpoint has the average as `state_dict`, and the last weights, from which a run resumes, beside it. On a GPU
    each step makes the host wait, since torch reads the number of averaged steps.

    Args:
        decay: of the average, per step.
    """

    def __init__(self, *, decay: float = 0.999) -> None:
        super().__init__(multi_avg_fn=self.update)
        self.decay = decay

    @property
    def state_key(self) -> str:
        """Key of the callback's state in a checkpoint, independent of the name of the class."""
        return "WeightEMA"

    @torch.no_grad()
    def update(self, averages: list[Tensor], weights: list[Tensor], steps: Tensor | int) -> None:
        """Update averages of one type in place; integers and flags are copied."""
        if averages[0].is_floating_point():
            n = int(steps)
            torch._foreach_lerp_(averages, weights, 1 - min(self.decay, (1 + n) / (10 + n)))
        else:
            torch._foreach_copy_(averages, weights)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict) -> None:
        """Restore the last weights and the average, to continue training."""
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Use the average from now on, also in a run that had already been trained to its end."""
        assert isinstance(pl_module, ELBOModule)
        self._copy_average_to_current(pl_module)
        POSTERIOR_CACHE.pop(pl_module, None)  # that of the last weights
