"""Draws the figures while a model trains."""

from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch.utils.tensorboard.summary import Summary  # type: ignore[attr-defined]

from vae_lightning.figures.context import FigureContext, format_title, isolated_eval, latest_posterior
from vae_lightning.figures.history import History, stage_metrics
from vae_lightning.figures.registry import check_names, draw_figures
from vae_lightning.figures.saving import save_figure
from vae_lightning.models import ELBOModule


class Figures(L.Callback):
    """Figures, some every few epochs, all at the end: to TensorBoard, and the latest as PNG or GIF.

    The images and the noise are the same each time, so that what changes is the model; no random number is taken from
    the training. What the curves are drawn from is kept in each checkpoint, so that a run that is resumed has whole
    ones.

    Args:
        folder: where the files go.
        title: the first words of each title; they name the model and the data.
        every_n_epochs: draw `periodic` after each so many epochs.
        periodic: names of `DRAWINGS`.
        final: names of those that are drawn, besides the others, when the training is over.

    Raises:
        UserError: when a name is unknown, or needs a package that is not installed.
    """

    def __init__(
        self, *, folder: str, title: str, every_n_epochs: int, periodic: Sequence[str], final: Sequence[str]
    ) -> None:
        check_names("callbacks.figures.periodic", periodic)
        check_names("callbacks.figures.final", final)
        self.folder = Path(folder)
        self.title = title
        self.every_n_epochs = every_n_epochs
        self.periodic = periodic
        self.final = final
        self.history = History()

    # ---------------------------------------------------------------- drawing

    @rank_zero_only
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the rates; draw when it is time, and all that is not to be drawn again in a moment."""
        model = as_elbo_module(pl_module)
        with isolated_eval(model):
            posterior = latest_posterior(model, trainer.datamodule)  # type: ignore[attr-defined]
        if posterior is not None and posterior.rates is not None:
            self.history.rates[model.images_seen] = posterior.rates.tolist()
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs == 0 and epoch != trainer.max_epochs:
            self.draw(trainer, model, epoch, self.periodic)

    @rank_zero_only
    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw everything; also where a run is resumed that was over, but died before or in its drawing."""
        model = as_elbo_module(pl_module)
        self.note_training(trainer, model)
        epoch = trainer.fit_loop.epoch_progress.current.ready  # `current_epoch` is one less after such an end
        self.draw(trainer, model, epoch, dict.fromkeys([*self.periodic, *self.final]))

    def draw(self, trainer: L.Trainer, model: ELBOModule, epoch: int, names: Collection[str]) -> None:
        """Draw these figures, to the folder and to TensorBoard."""
        title = format_title(self.title, model, model.warmup, epoch)
        subject = FigureContext(model, trainer.datamodule, title, self.history)  # type: ignore[attr-defined]
        for name, drawn in draw_figures(subject, names):
            file = save_figure(drawn, self.folder, name)
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    log_image(logger, name, file.read_bytes(), model.images_seen)

    # ---------------------------------------------------------------- what the curves are drawn from

    def note_training(self, trainer: L.Trainer, model: ELBOModule) -> None:
        """Note the training's metrics of the epoch that is over, if one is; a run resumed at its end has none."""
        metrics = stage_metrics(trainer, "train")
        if metrics and trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self.history.train[model.images_seen] = {**metrics, "warmup": model.warmup}

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the validation's metrics."""
        self.history.val[as_elbo_module(pl_module).images_seen] = stage_metrics(trainer, "val")

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the history; the checkpoint at an epoch's end is the first to know the training's metrics of it."""
        self.note_training(trainer, as_elbo_module(pl_module))
        checkpoint["history"] = self.history.state_dict()

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with it, if the run that is resumed drew figures."""
        self.history = History(**checkpoint.get("history", {}))


def as_elbo_module(module: L.LightningModule) -> ELBOModule:
    """The module, which is one of ours."""
    assert isinstance(module, ELBOModule)
    return module


def log_image(logger: TensorBoardLogger, name: str, encoded: bytes, step: int) -> None:
    """Show an image file in TensorBoard as it is: nothing is drawn twice, and a GIF moves."""
    width, height = Image.open(BytesIO(encoded)).size
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
    writer = logger.experiment._get_file_writer()
    writer.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)
