"""Drawing figures during training."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only

from vae_lightning.errors import check_choice
from vae_lightning.figures.context import FigureContext, format_title
from vae_lightning.figures.history import History, stage_metrics
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.posterior_stats import latest_posterior
from vae_lightning.figures.probe_images import data_module_of
from vae_lightning.figures.registry import check_names, draw_figures
from vae_lightning.figures.saving import FORMATS, save_figure
from vae_lightning.loggers import log_figure
from vae_lightning.models import ELBOModule
from vae_lightning.plotting.style import STYLES, use_style
from vae_lightning.runs.format import CheckpointKey

PERIODIC = ("reconstructions", "samples", "rate_per_latent", "rate_history", "code_usage")
FINAL = (
    "training_curves",
    "extreme_reconstructions",
    "nearest_images",
    "samples_by_temperature",
    "latent_space",
    "latent_space_tsne",
    "aggregate_posterior",
    "factor_information",
    "manifold",
    "manifold_linear",
    "class_manifolds",
    "traversals",
    "traversals_animation",
    "interpolations",
    "class_swap",
    "class_traversals",
)


class Figures(L.Callback):
    """Draws figures during training, as image files and for the loggers that show them.

    A few figures are drawn every few epochs, all of them at the end. Images and noise are the same each time, so that
    only changes of the model are visible, and no random number is taken from the training. The history of the curves is
    part of each checkpoint, so that the curves of a resumed run start at its first epoch.

    Args:
        folder: directory of the image files.
        title: start of the title of each figure, which names the model and the dataset.
        every_n_epochs: number of epochs between two drawings of `periodic`.
        periodic: names of figures in `FIGURES`.
        final: names of the additional figures drawn at the end of training.
        format: png, or pdf or svg to write each figure in that format as well. Animations are always GIF.
        style: screen, paper or dark.

    Raises:
        UserError: if a name is unknown, or a figure needs a package that is not installed.
    """

    def __init__(
        self,
        *,
        folder: str,
        title: str,
        every_n_epochs: int = 5,
        periodic: Sequence[str] = PERIODIC,
        final: Sequence[str] = FINAL,
        format: str = "png",
        style: str = "screen",
    ) -> None:
        check_names("callbacks.figures.periodic", periodic)
        check_names("callbacks.figures.final", final)
        self.folder = Path(folder)
        self.title = title
        self.every_n_epochs = every_n_epochs
        self.periodic = periodic
        self.final = final
        self.format = check_choice("callbacks.figures.format", format, FORMATS)
        self.style = check_choice("callbacks.figures.style", style, STYLES)
        self.history = History()

    # ---------------------------------------------------------------- drawing

    @rank_zero_only
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record the rates, and draw if it is time, unless all figures are about to be drawn at the end."""
        model = as_elbo_module(pl_module)
        with isolated_eval(model):
            posterior = latest_posterior(model, data_module_of(trainer, self))
        if posterior is not None and posterior.rates is not None:
            self.history.rates[model.images_seen] = posterior.rates.tolist()
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs == 0 and epoch != trainer.max_epochs:
            self.draw(trainer, model, epoch, self.periodic)

    @rank_zero_only
    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw everything, also when resuming a trained run that was killed while drawing."""
        model = as_elbo_module(pl_module).to(trainer.strategy.root_device)  # Lightning has moved it to the CPU
        self.record_training(trainer, model)
        epoch = trainer.fit_loop.epoch_progress.current.ready  # `current_epoch` is one less in that case
        self.draw(trainer, model, epoch, dict.fromkeys([*self.periodic, *self.final]))

    def draw(self, trainer: L.Trainer, model: ELBOModule, epoch: int, names: Collection[str]) -> None:
        """Draw these figures to the directory, and log them."""
        title = format_title(self.title, model, model.warmup, epoch)
        ctx = FigureContext(model, data_module_of(trainer, self), title, self.history)
        with use_style(self.style):
            for name, figure in draw_figures(ctx, names):
                file, *_ = save_figure(figure, self.folder, name, self.format)
                for logger in trainer.loggers:
                    log_figure(logger, name, file, model.images_seen)

    # ---------------------------------------------------------------- data of the curves

    def record_training(self, trainer: L.Trainer, model: ELBOModule) -> None:
        """Record the training metrics of the finished epoch, if any; a run resumed at its end has none."""
        metrics = stage_metrics(trainer, "train")
        if metrics and trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.history.train[model.images_seen] = {**metrics, "warmup": model.warmup}

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record the validation metrics."""
        self.history.val[as_elbo_module(pl_module).images_seen] = stage_metrics(trainer, "val")

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save the history, including the training metrics of an epoch that has just ended."""
        self.record_training(trainer, as_elbo_module(pl_module))
        checkpoint[CheckpointKey.HISTORY] = self.history.state_dict()

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Restore the history, if the resumed run has one."""
        self.history = History(**checkpoint.get(CheckpointKey.HISTORY, {}))


def as_elbo_module(module: L.LightningModule) -> ELBOModule:
    """Return the module, typed as one of ours."""
    assert isinstance(module, ELBOModule)
    return module
