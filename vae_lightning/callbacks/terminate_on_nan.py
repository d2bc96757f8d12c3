"""A run whose numbers go wrong ends there, and says which did; no checkpoint holds them."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule
from vae_lightning.runs.layout import LAST, PREVIOUS

SUMMARIES = ("loss", "objective")  # sums of the other terms: named only when none of those is at fault
SYNCHRONOUS_DEVICES = ("cpu",)  # the devices that a look does not make wait
REMEDY = (
    "start anew with a smaller model.optimizer.lr, a larger or fixed noise of the likelihood (model/likelihood=...), or"
    " a slower start of the penalty (callbacks.warmup.epochs=10)"
)


class TerminateOnNaN(L.Callback):
    """Stop the run at the first step whose loss or gradient is infinite or no number.

    Each step leaves two small tensors on the device: the running sums of the terms, which stay wrong once one was, and
    the sums of the gradients. They are looked at after each step on a CPU, every `log_every_n_steps` on another device,
    where a look makes the host wait, and before each checkpoint. The first bad step is named all the same, and a
    checkpoint is written only when all its weights are finite.

    With 16-bit floats and a gradient scaler infinite gradients are no fault, the scaler leaves such steps out: then
    only the terms are looked at.

    Args:
        folder: where the checkpoints lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gradients: dict[str, list[Tensor]] = {}  # since the last look, by step: (P,) of each optimiser
        self.terms: dict[str, Tensor] = {}  # since the last look, by step: (T,)
        self.parameters: dict[str, nn.Parameter] = {}  # to walk through all modules each step would take longer

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the parameters."""
        self.parameters = dict(pl_module.named_parameters())

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Keep the sum of each parameter's gradient, of one optimiser's step."""
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            self.gradients.setdefault(batch_label(trainer), []).append(gradient_checks(list(self.parameters.values())))

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Keep the terms, and look when it is time."""
        assert isinstance(pl_module, ELBOModule)
        if (sums := pl_module.means["train"].sums) is not None:
            self.terms[batch_label(trainer)] = sums
        at_once = pl_module.device.type in SYNCHRONOUS_DEVICES
        if at_once or len(self.terms) >= trainer.log_every_n_steps:  # type: ignore[attr-defined]
            self.look(pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the rest of the epoch."""
        self.look(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Refuse a validation whose loss is not finite, before it is judged which checkpoint is the best."""
        self.look(pl_module)
        self.refuse_loss(trainer, "val")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Refuse such a test."""
        self.refuse_loss(trainer, "test")

    def refuse_loss(self, trainer: L.Trainer, stage: str) -> None:
        """Raise UserError when the loss that was logged of a stage is infinite or no number."""
        loss = trainer.callback_metrics.get(f"{stage}/loss")
        if loss is not None and not loss.isfinite():
            raise UserError(f"{stage}/loss is {loss.item()}: the training diverged; {self.advice()}")

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse to write what is not finite."""
        self.look(pl_module)
        for name, value in checkpoint["state_dict"].items():
            if not torch.isfinite(value).all():
                raise UserError(
                    f"{batch_label(trainer)}: {name} is no longer finite, no checkpoint was written; {self.advice()}"
                )

    def look(self, pl_module: L.LightningModule) -> None:
        """Wait for the device, and raise UserError for the first step since the last look that went wrong."""
        assert isinstance(pl_module, ELBOModule)
        terms, self.terms = self.terms, {}
        gradients, self.gradients = self.gradients, {}
        kept = [*terms.values(), *(sums for several in gradients.values() for sums in several)]
        if not kept or math.isfinite(torch.cat(kept).sum().item()):  # one number that is not would make the sum so
            return
        for step, sums in terms.items():
            bad = [n for n, ok in zip(pl_module.means["train"].names, sums.isfinite().tolist(), strict=False) if not ok]
            if bad:
                bad = [name for name in bad if name not in SUMMARIES] or bad
                raise UserError(f"{step}: {' and '.join(bad)} became infinite or no number; {self.advice()}")
            for of_optimizer in gradients.get(step, []):
                self.refuse_gradients(step, of_optimizer)

    def refuse_gradients(self, step: str, sums: Tensor) -> None:
        """Raise UserError when one parameter's gradient, of the sums (P,) of a step, is not finite."""
        for name, finite in zip(self.parameters, sums.isfinite().tolist(), strict=True):
            if not finite:
                raise UserError(
                    f"{step}: the gradient of {name} became infinite or no number, the loss is finite; {self.advice()}"
                )

    def advice(self) -> str:
        """The last healthy checkpoint, and what to do."""
        for name in (LAST, PREVIOUS):
            if (path := self.folder / name).is_file():
                return f"the last healthy checkpoint is {path}; {REMEDY}"
        return f"no checkpoint had been written; {REMEDY}"


def batch_label(trainer: L.Trainer) -> str:
    """The batch that is trained on, counted from 1 over the run, and its epoch."""
    batches = trainer.fit_loop.epoch_loop.batch_progress.total.ready
    return f"batch {batches} (epoch {trainer.current_epoch + 1})"


def gradient_checks(parameters: list[nn.Parameter]) -> Tensor:
    """One number a parameter, (P,): finite when its gradient is, 0 where it has none.

    A sum passes on what is not finite, and costs the least on a CPU; it may overflow for a gradient that is finite, of
    1e38, which is no better. On other devices one kernel for all parameters costs the least.
    """
    gradients = [p.new_zeros(1) if p.grad is None else p.grad for p in parameters]
    if parameters[0].device.type == "cpu":
        return torch.stack([gradient.sum() for gradient in gradients]).float()
    return torch.stack(torch._foreach_norm(gradients, torch.inf)).float()
