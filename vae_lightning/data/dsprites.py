"""dSprites (Matthey et al. 2017), read from its official file."""

import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vae_lightning.data.factor_files import FactorFilesDataModule, FactorImages
from vae_lightning.data.npz import stream_rows
from vae_lightning.data.sprites import FACTORS

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


class DSpritesDataModule(FactorFilesDataModule):
    """737,280 images of 1 x 64 x 64: every combination of 3 shapes, 6 scales, 40 orientations, 32 x and 32 y.

    The labels are these five factors, int64 (N, 5); the sixth, color, is always white.
    """

    choice = "dsprites"
    factor_names = FACTORS
    defaults: ClassVar[dict[str, Any]] = {"image_shape": (1, 64, 64), "batch_size": 64}
    urls = (f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{FILE}",)

    def read(self, paths: list[Path]) -> FactorImages:
        """Read factors and images, whose pixels are 0 or 1 in the file."""
        (path,) = paths
        with zipfile.ZipFile(path) as archive, archive.open("latents_classes.npy") as file:
            factors = np.lib.format.read_array(file)[:, 1:].astype(np.int64)  # without the color
        return FactorImages(factors, (255 * rows[:, None] for rows in stream_rows(path, "imgs")))
