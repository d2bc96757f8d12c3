"""Histograms of the posterior in TensorBoard."""

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.posterior_stats import latest_posterior
from vae_lightning.figures.probe_images import data_module_of
from vae_lightning.models import ELBOModule


class PosteriorHistograms(L.Callback):
    """Logs histograms of mu and, if there is one, of logvar, over latents and images.

    Args:
        every_n_epochs: number of epochs between two histograms; there is always one after `max_epochs`.
    """

    def __init__(self, *, every_n_epochs: int = 5) -> None:
        self.every_n_epochs = every_n_epochs

    @rank_zero_only
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the histograms if it is time."""
        assert isinstance(pl_module, ELBOModule)
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs and epoch != trainer.max_epochs:
            return
        with isolated_eval(pl_module):
            posterior = latest_posterior(pl_module, data_module_of(trainer, self))
        for name in ("mu", "logvar"):
            values = getattr(posterior, name, None)
            if values is None or not values.isfinite().all():  # histograms cannot show them
                continue
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_histogram(f"posterior/{name}", values, pl_module.images_seen)
