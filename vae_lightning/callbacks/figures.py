"""Draws the figures while a model trains."""

from collections.abc import Iterator
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure

from vae_lightning import figures
from vae_lightning.data import ImageDataModule
from vae_lightning.models import ELBOModule

GREEK = {"beta": "β", "gamma": "\N{GREEK SMALL LETTER GAMMA}", "lambda_mmd": "λ"}


class Figures(L.Callback):
    """Reconstructions and samples, every few epochs and at the end: to TensorBoard, and the latest as PNG.

    The images and the noise are the same each time, so that what changes is the model; no random number is taken from
    the training.

    Args:
        folder: where the PNG files go.
        every_n_epochs: draw after each so many epochs; after the last of `max_epochs` always.
        title: the first words of each title.
    """

    def __init__(self, *, folder: str, every_n_epochs: int, title: str) -> None:
        self.folder = Path(folder)
        self.every_n_epochs = every_n_epochs
        self.title = title

    @rank_zero_only
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw when it is time."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs and epoch != trainer.max_epochs:
            return
        assert isinstance(pl_module, ELBOModule)
        pl_module.eval()
        weights = pl_module.regularizer.schedule(pl_module.warmup)
        title = ", ".join(
            [self.title, *(f"{GREEK.get(name, name)} = {w:.3g}" for name, w in weights.items()), f"epoch {epoch}"]
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, figure in self.draw(trainer.datamodule, pl_module, title):  # type: ignore[attr-defined]
            figure.savefig(self.folder / f"{name}.png")
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_figure(name, figure, global_step=pl_module.images_seen)
        pl_module.train()

    def draw(self, data: ImageDataModule, model: ELBOModule, title: str) -> Iterator[tuple[str, Figure]]:
        """Each figure with its name."""
        split = data.splits["val"] if len(data.splits["val"].x) else data.splits["train"]
        x = split.x[:30].to(model.device)
        y = None if split.y is None else split.y[:30].to(model.device)
        yield "reconstructions", figures.reconstructions(model.as_images(x), model.reconstruct(x, y), title)

        classes = model.condition_dim or None
        generator = torch.Generator().manual_seed(0)
        if classes:
            y = torch.arange(classes, device=model.device).repeat_interleave(10)
            x = model.sample(len(y), y, generator)
        else:
            x = model.sample(100, generator=generator)
        yield "samples", figures.samples(x, f"{title}, decoded from N(0, I)", classes)
