"""The 1,797 handwritten digits that scikit-learn carries: real data that needs no download."""

from typing import Any

import torch
import torch.nn.functional as F

from vae_lightning.data.base import ImageDataModule, stratified_split
from vae_lightning.data.in_memory import Batch


class DigitsDataModule(ImageDataModule):
    """The test set of the UCI "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998), labels 0 to 9.

    The originals have 8 x 8 pixels and 17 grey values; they are resized to `image_shape` by bicubic interpolation,
    and their grey stands in every channel.

    Args:
        val_size: the number of validation images.
        test_size: the number of test images.
        split_seed: draws the splits, so that runs of different seeds compare on the same images.
        **loading: those of `ImageDataModule`.
    """

    def __init__(self, *, val_size: int, test_size: int, split_seed: int, **loading: Any) -> None:
        super().__init__(**loading)
        self.val_size = val_size
        self.test_size = test_size
        self.split_seed = split_seed

    def load(self) -> dict[str, Batch]:
        """Resize all, then split with the classes in proportion."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        x = torch.from_numpy(digits.images).float()[:, None] / 16  # (1797, 1, 8, 8) in [0, 1]
        x = F.interpolate(x, size=self.image_shape[1:], mode="bicubic", align_corners=False)
        x = (x.clamp(0, 1) * 255).round().to(torch.uint8).repeat(1, self.image_shape[0], 1, 1)
        y = torch.from_numpy(digits.target).long()
        rest, test = stratified_split(Batch(x, y), self.test_size, self.split_seed)
        train, val = stratified_split(rest, self.val_size, self.split_seed)
        return {"train": train, "val": val, "test": test}
