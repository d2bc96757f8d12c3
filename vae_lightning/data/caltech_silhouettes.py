"""Caltech 101 Silhouettes (Marlin et al. 2010)."""

import numpy as np
import torch

from vae_lightning.data.in_memory import Batch
from vae_lightning.data.matlab_file import MatlabDataModule, as_images
from vae_lightning.types import SPLITS


class CaltechSilhouettesDataModule(MatlabDataModule):
    """4,100 training, 2,264 validation and 2,307 test images of 1 x 28 x 28: white outlines of 101 kinds of objects."""

    choice = "caltech_silhouettes"
    url = "https://people.cs.umass.edu/~marlin/data/caltech101_silhouettes_28_split1.mat"

    def read(self, arrays: dict[str, np.ndarray]) -> dict[str, Batch]:
        """Read the images, one row each and black on white in the file, and the classes, counted from 1 there."""
        return {name: read_split(arrays, name) for name in SPLITS}


def read_split(arrays: dict[str, np.ndarray], name: str) -> Batch:
    """Read the images and classes of a split."""
    labels = arrays[f"{name}_labels"].astype(np.int64).ravel() - 1
    return Batch(as_images(1 - arrays[f"{name}_data"]), torch.from_numpy(labels))
