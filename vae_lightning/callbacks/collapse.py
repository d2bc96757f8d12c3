"""Tells when the latents stop saying anything about the images."""

import lightning as L
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

from vae_lightning.figures.context import PosteriorStats, isolated_eval, latest_posterior
from vae_lightning.models import ELBOModule

REMEDY = (
    "the posterior collapses to the prior; to keep it from that, let beta rise slowly (callbacks.warmup.epochs=10),"
    " or take a smaller beta (model=beta_vae model.beta=0.5)"
)


class CollapseMonitor(L.Callback):
    """Log the number of active latents after each epoch, and warn once when the rate is next to zero.

    A latent is active when the mean of its posterior differs between images, by a variance above 0.01 (Burda et al.
    2016, section 5.2). That many of many are not is no fault. Of discrete codes nothing is said.

    Args:
        min_rate: nats per image: a rate below is low. One bit is 0.69 nats.
        patience: the model is said to collapse when the rate is low after so many epochs in a row; many models begin
            with a low one.
    """

    def __init__(self, *, min_rate: float, patience: int) -> None:
        self.min_rate, self.patience = min_rate, patience
        self.low = 0  # epochs in a row
        self.warned = False

    @rank_zero_only
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count, log, and warn when it is time."""
        assert isinstance(pl_module, ELBOModule)
        with isolated_eval(pl_module):
            posterior = latest_posterior(pl_module, trainer.datamodule)  # type: ignore[attr-defined]
        if posterior is None:
            return
        for logger in trainer.loggers:
            logger.log_metrics({"active_latents": float(posterior.active.sum())}, step=pl_module.images_seen)
        self.low = self.low + 1 if self.is_low(posterior) else 0
        if self.low >= self.patience and not self.warned:
            self.warned = True
            active = f"{int(posterior.active.sum())} of {len(posterior.active)} latents are active"
            rate = "" if posterior.rates is None else f", the rate is {posterior.rates.sum():.2f} nats per image"
            rank_zero_warn(f"{active}{rate}: {REMEDY}")

    def is_low(self, posterior: PosteriorStats) -> bool:
        """Whether the latents say next to nothing."""
        if posterior.rates is None:
            return not posterior.active.any()
        return float(posterior.rates.sum()) < self.min_rate
