"""Detects posterior collapse."""

from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.posterior_stats import PosteriorStats, latest_posterior
from vae_lightning.figures.probe_images import data_module_of
from vae_lightning.models import ELBOModule

REMEDY = (
    "The posterior collapses to the prior. Warm up beta (callbacks.warmup.epochs=10), or use a smaller beta"
    " (model=beta_vae model.beta=0.5)."
)


class CollapseMonitor(L.Callback):
    """Logs the number of active latents after each epoch, and warns once if the rate stays close to zero.

    A latent is active if its posterior mean, relative to the mean and σ of the prior, has a variance over images above
    0.01 (Burda et al. 2016, section 5.2, for the prior N(0, I)).
    Some inactive latents of many are normal. Discrete codes are not monitored.

    Args:
        min_rate: rate in nats per image below which it counts as low; one bit is 0.69 nats.
        patience: number of successive epochs with a low rate before the warning, since many models start with a low
            rate.
    """

    def __init__(self, *, min_rate: float = 0.5, patience: int = 5) -> None:
        self.min_rate, self.patience = min_rate, patience
        self.low = 0  # successive epochs with a low rate
        self.warned = False

    @rank_zero_only
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count, log, and warn if it is time."""
        assert isinstance(pl_module, ELBOModule)
        with isolated_eval(pl_module):
            posterior = latest_posterior(pl_module, data_module_of(trainer, self))
        if posterior is None:
            return
        for logger in trainer.loggers:
            logger.log_metrics({"active_latents": float(posterior.active.sum())}, step=pl_module.images_seen)
        self.low = self.low + 1 if self.is_low(posterior) else 0
        if self.low >= self.patience and not self.warned:
            self.warned = True
            rate = "" if posterior.rate is None else f"The rate is {posterior.rate:.2f} nats per image, with "
            active = f"{int(posterior.active.sum())} of {len(posterior.active)} latents active"
            rank_zero_warn(f"{rate}{active}. {REMEDY}")

    def state_dict(self) -> dict[str, Any]:
        """Return the number of epochs with a low rate, and whether there was a warning."""
        return {"low": self.low, "warned": self.warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.low, self.warned = state_dict["low"], state_dict["warned"]

    def is_low(self, posterior: PosteriorStats) -> bool:
        """Return whether the latents carry almost no information."""
        return not posterior.active.any() if posterior.rate is None else posterior.rate < self.min_rate
