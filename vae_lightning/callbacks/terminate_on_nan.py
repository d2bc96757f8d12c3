"""Stopping a run when a loss or gradient becomes NaN or infinite, before a checkpoint contains it."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule
from vae_lightning.runs.layout import LAST, PREVIOUS

SUMMARIES = ("loss", "objective")  # sums of other terms, named only if none of these is the cause
SYNCHRONOUS_DEVICES = ("cpu",)  # devices on which reading a value does not wait
REMEDY = (
    "Start a new run with a smaller model.optimizer.lr, a larger or fixed noise of the likelihood"
    " (model/likelihood=...), or a warm-up of the penalty (callbacks.warmup.epochs=10)."
)


class TerminateOnNaN(L.Callback):
    """Stops the run at the first step whose loss or gradient is not finite.

    Each step leaves two small tensors on the device: the running sums of the terms, which stay NaN once a term was, and
    sums of the gradients. They are checked after each step on a CPU; every `log_every_n_steps` on other devices, where
    reading them makes the host wait; and before each checkpoint. In any case the first bad step is reported, and
    checkpoints contain only finite weights.

    With a gradient scaler for 16-bit floats, infinite gradients are normal, since the scaler skips such steps. Then
    only the terms are checked.

    Args:
        folder: directory of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gradients: dict[str, list[Tensor]] = {}  # since the last check, by step: (P,) of each optimizer
        self.terms: dict[str, Tensor] = {}  # since the last check, by step: (T,)
        self.parameters: dict[str, nn.Parameter] = {}  # collected once, since walking all modules takes time

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Collect the parameters that are trained; a `LatentPrior` has many others."""
        self.parameters = {name: p for name, p in pl_module.named_parameters() if p.requires_grad}

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Keep one number per gradient of the step of an optimizer."""
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            self.gradients.setdefault(batch_label(trainer), []).append(gradient_checks(list(self.parameters.values())))

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Keep the terms, and check them when it is time."""
        assert isinstance(pl_module, ELBOModule)
        if (sums := pl_module.means["train"].sums) is not None:
            self.terms[batch_label(trainer)] = sums
        is_cheap = pl_module.device.type in SYNCHRONOUS_DEVICES
        if is_cheap or len(self.terms) >= trainer.log_every_n_steps:  # type: ignore[attr-defined]
            self.check(pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check the rest of the epoch."""
        self.check(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check the validation loss, before the best checkpoint is determined."""
        self.check(pl_module)
        self.check_loss(trainer, "val")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check the test loss."""
        self.check_loss(trainer, "test")

    def check_loss(self, trainer: L.Trainer, stage: str) -> None:
        """Check that the logged loss of a stage is finite.

        Raises:
            UserError: if it is not.
        """
        loss = trainer.callback_metrics.get(f"{stage}/loss")
        if loss is not None and not loss.isfinite():
            raise UserError(f"{stage}/loss is {loss.item()}: training diverged. {self.advice()}")

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Check that all weights are finite.

        Raises:
            UserError: if not; no checkpoint is written.
        """
        self.check(pl_module)
        for name, value in checkpoint["state_dict"].items():
            if not torch.isfinite(value).all():
                raise UserError(
                    f"{batch_label(trainer)}: {name} is not finite, so no checkpoint was written. {self.advice()}"
                )

    def check(self, pl_module: L.LightningModule) -> None:
        """Check all steps since the last check.

        Raises:
            UserError: for the first step that is not finite.
        """
        assert isinstance(pl_module, ELBOModule)
        terms, self.terms = self.terms, {}
        gradients, self.gradients = self.gradients, {}
        kept = [*terms.values(), *(sums for several in gradients.values() for sums in several)]
        if not kept or math.isfinite(torch.cat(kept).sum().item()):  # the sum is finite only if all are
            return
        for step, sums in terms.items():
            bad = [n for n, ok in zip(pl_module.means["train"].names, sums.isfinite().tolist(), strict=False) if not ok]
            if bad:
                bad = [name for name in bad if name not in SUMMARIES] or bad
                raise UserError(f"{step}: {' and '.join(bad)} became NaN or infinite. {self.advice()}")
            for of_optimizer in gradients.get(step, []):
                self.check_gradients(step, of_optimizer)

    def check_gradients(self, step: str, sums: Tensor) -> None:
        """Check the gradients of one step, given one number per parameter, (P,).

        Raises:
            UserError: for the first that is not finite.
        """
        for name, finite in zip(self.parameters, sums.isfinite().tolist(), strict=True):
            if not finite:
                raise UserError(
                    f"{step}: the gradient of {name} became NaN or infinite, while the loss is finite. {self.advice()}"
                )

    def advice(self) -> str:
        """Return a sentence about the last finite checkpoint, and what to do."""
        for name in (LAST, PREVIOUS):
            if (path := self.folder / name).is_file():
                return f"The last finite checkpoint is {path}. {REMEDY}"
        return f"No checkpoint had been written. {REMEDY}"


def batch_label(trainer: L.Trainer) -> str:
    """Return the number of the current batch, counted from 1 over the run, and its epoch."""
    batches = trainer.fit_loop.epoch_loop.batch_progress.total.ready
    return f"batch {batches} (epoch {trainer.current_epoch + 1})"


def gradient_checks(parameters: list[nn.Parameter]) -> Tensor:
    """Return one number per parameter, (P,), that is finite if its gradient is; 0 without a gradient.

    On a CPU a sum is the fastest. It may also overflow for finite gradients around 1e38, which are as useless. On other
    devices one kernel for all parameters is the fastest.
    """
    gradients = [p.new_zeros(1) if p.grad is None else p.grad for p in parameters]
    if parameters[0].device.type == "cpu":
        return torch.stack([gradient.sum() for gradient in gradients]).float()
    return torch.stack(torch._foreach_norm(gradients, torch.inf)).float()
