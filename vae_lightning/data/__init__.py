"""Data sets as LightningDataModules: uint8 images in memory, whole batches by index."""

from vae_lightning.data.base import ImageDataModule, stratified_split
from vae_lightning.data.batches import Batch, Batches, Order
from vae_lightning.data.digits import DigitsDataModule
from vae_lightning.data.mnist import MNISTDataModule

__all__ = [
    "Batch",
    "Batches",
    "DigitsDataModule",
    "ImageDataModule",
    "MNISTDataModule",
    "Order",
    "stratified_split",
]
