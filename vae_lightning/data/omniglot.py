"""OMNIGLOT at 28 x 28 pixels, as published by Burda et al. 2016."""

from typing import Any

import numpy as np

from vae_lightning.data.in_memory import Batch
from vae_lightning.data.matlab_file import MatlabDataModule, as_images


class OmniglotDataModule(MatlabDataModule):
    """24,345 training and 8,070 test images of 1 x 28 x 28: characters of 50 alphabets, gray, without labels.

    Burda et al. 2016 shrunk the images of Lake et al. 2013 and published them with IWAE. Published likelihoods are for
    `data.binarize=dynamic`. The validation images are drawn from the training images.

    Args:
        val_size: number of validation images; 1,345 for published likelihoods.
        split_seed: seed of the choice of validation images, which does not depend on `seed`.
        **options: arguments of `MatlabDataModule`.
    """

    choice = "omniglot"
    url = "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat"

    def __init__(self, *, val_size: int = 1345, split_seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.val_size, self.split_seed = val_size, split_seed

    def read(self, arrays: dict[str, np.ndarray]) -> dict[str, Batch]:
        """Read the images, one column each.

        Raises:
            ValueError: if there are too few for the validation.
        """
        images, test = (as_images(arrays[name].T) for name in ("data", "testdata"))
        if self.val_size >= len(images):
            raise ValueError(f"{len(images)} images are too few for data.val_size={self.val_size}")
        order = np.random.default_rng(self.split_seed).permutation(len(images))
        val, train = images[order[: self.val_size]], images[order[self.val_size :]]
        return {"train": Batch(train, None), "val": Batch(val, None), "test": Batch(test, None)}
