"""The images that figures and monitors show: the same ones in every epoch."""

import lightning as L
import torch

from vae_lightning.data import Batch, ImageDataModule
from vae_lightning.data.transforms import binarized
from vae_lightning.errors import UserError
from vae_lightning.pixels import to_float


def data_module_of(trainer: L.Trainer, callback: L.Callback) -> ImageDataModule:
    """Return the data module of a Trainer, whose images a callback shows.

    Raises:
        UserError: if it has none of ours.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not hasattr(data, "splits"):
        raise UserError(
            f"{type(callback).__name__}: shows images that a data loader does not provide. Pass datamodule=... to the"
            " Trainer, one of vae_lightning.data or your own ImageDataModule, or leave out this callback."
        )
    return data


def probe_images(data: ImageDataModule, n: int) -> Batch:
    """Return the first n validation images in a fixed random order, and their labels.

    If there are no validation images, training images are used. The order is random because a dataset may be sorted.
    """
    split = data.splits[data.validation_split if len(data.splits[data.validation_split].x) else "train"]
    index = torch.randperm(len(split.x), generator=torch.Generator().manual_seed(0))[:n]
    x = split.x[index]
    if data.binarize == "dynamic":
        x = binarized(x, torch.Generator().manual_seed(0))
    return Batch(x, None if split.y is None else split.y[index])


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch to a device and convert its images to float32 in [0, 1]."""
    x, y = batch.to(device)
    return Batch(to_float(x), y)
