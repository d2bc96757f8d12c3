"""A number of the model that changes during the first part of training, such as a temperature."""

import inspect
from typing import Any

import lightning as L

from vae_lightning.callbacks.beta_warmup import RISES, current_time
from vae_lightning.errors import UserError, check_choice
from vae_lightning.models import ELBOModule

CURVES = ("linear", "cosine", "exponential")


def interpolated(start: float, end: float, progress: float, curve: str) -> float:
    """Return the value between `start` and `end` at a progress from 0 to 1.

    Args:
        start: value at progress 0.
        end: value at progress 1.
        progress: clipped to [0, 1].
        curve: `linear`; `cosine`, which is flat at both ends; or `exponential`, a geometric series between positive
            values, as Jang et al. 2017 anneal the temperature.
    """
    p = min(1.0, max(0.0, progress))
    if curve == "exponential":
        return start * (end / start) ** p
    return start + RISES[curve](p) * (end - start)


class Schedule(L.Callback):
    """Moves a number of the model from `start` to its configured value, which it has again after training.

    Before each batch the number is computed from the trainer's counters, so it is correct after resuming as well. It is
    logged under its name, as `train/temperature`, unless it is a weight that the model logs anyway.

    >>> Schedule(attribute="posterior.temperature", start=1.0, epochs=20, curve="exponential")  # doctest: +SKIP

    Args:
        attribute: path of the number in the model: `posterior.temperature`, `regularizer.gamma` or `num_samples`.
        start: value of the first batch.
        delay: epochs or steps with that value, before it changes.
        epochs: period of the change, in epochs; it changes with every epoch.
        steps: period in batches instead of epochs; it changes with every batch.
        curve: one of `CURVES`; see `interpolated`. A number that the model declares as an integer is rounded.

    Raises:
        UserError: if the curve is unknown, or not exactly one of the periods is positive.
    """

    def __init__(
        self,
        *,
        attribute: str,
        start: float,
        epochs: int = 0,
        steps: int = 0,
        delay: int = 0,
        curve: str = "linear",
    ) -> None:
        self.attribute, self.start, self.delay = attribute, start, delay
        self.curve = check_choice("curve", curve, CURVES)
        if (epochs > 0) == (steps > 0):
            raise UserError(f"schedule of {attribute}: has epochs={epochs} and steps={steps}. Set one of them.")
        self.by_step, self.period = steps > 0, max(epochs, steps)
        self.end: float | None = None  # the configured value
        self.is_integer = False

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Read the configured value.

        Raises:
            UserError: if the model has no such number, or one of the values has no logarithm for `exponential`.
        """
        if stage != "fit" or self.end is not None:
            return
        owner, name = self.owner(pl_module)
        end: Any = getattr(owner, name, None)
        if not is_number(end):
            names = ", ".join(sorted(key for key, value in vars(owner).items() if is_number(value)))
            raise UserError(
                f"attribute={self.attribute}: {type(owner).__name__} has no number {name}. Use one of {names}."
            )
        if self.curve == "exponential" and min(self.start, end) <= 0:
            raise UserError(
                f"curve=exponential: {self.attribute} goes from {self.start:g} to {end:g}, which must be positive. Use"
                " linear."
            )
        self.end = end
        declared = inspect.signature(type(owner)).parameters.get(name)
        self.is_integer = declared is not None and declared.annotation is int

    def owner(self, model: L.LightningModule) -> tuple[Any, str]:
        """Return the object that has the attribute, and its name there.

        Raises:
            UserError: if there is no such object.
        """
        *path, name = self.attribute.split(".")
        owner: Any = model
        for part in path:
            if not hasattr(owner, part):
                raise UserError(f"attribute={self.attribute}: {type(owner).__name__} has no {part}. Correct the path.")
            owner = getattr(owner, part)
        return owner, name

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Set the number for this batch."""
        assert self.end is not None
        elapsed = current_time(trainer, self.by_step) - 1 - self.delay
        value = interpolated(self.start, self.end, elapsed / self.period, self.curve)
        self.assign(pl_module, round(value) if self.is_integer else value)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the number, as of the last batch of the epoch."""
        assert isinstance(pl_module, ELBOModule)
        owner, name = self.owner(pl_module)
        if name not in pl_module.regularizer.effective_weights(1.0):
            pl_module.log(f"train/{name}", float(getattr(owner, name)))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore the configured value, which a model loaded from a checkpoint has as well."""
        self.assign(pl_module, self.end)

    def assign(self, model: L.LightningModule, value: Any) -> None:
        """Set the number."""
        owner, name = self.owner(model)
        setattr(owner, name, value)


def is_number(value: Any) -> bool:
    """Return whether a value is an integer or a float, but not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool)
