"""Handwritten digits included in scikit-learn: real images without a download."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.splits import stratified_split
from vae_lightning.pixels import to_8_bit


class DigitsDataModule(ImageDataModule):
    """1,797 digits with labels 0 to 9: the test set of UCI's "Optical Recognition of Handwritten Digits".

    The originals (Alpaydin & Kaynak 1998) have 8 x 8 pixels and 17 gray values. They are resized to `image_shape` by
    bicubic interpolation and repeated in every channel.

    Args:
        val_size: number of validation images.
        test_size: number of test images.
        split_seed: seed of the splits, which do not depend on `seed`.
        **loading: arguments of `ImageDataModule`.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (1, 28, 28), "num_classes": 10, "batch_size": 32}

    def __init__(self, *, val_size: int = 180, test_size: int = 360, split_seed: int = 0, **loading: Any) -> None:
        super().__init__(**{**self.defaults, **loading})
        self.val_size = val_size
        self.test_size = test_size
        self.split_seed = split_seed

    def load(self) -> dict[str, Batch]:
        """Resize all images and split them with equal class proportions."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        x = torch.from_numpy(digits.images).float()[:, None] / 16  # (1797, 1, 8, 8) in [0, 1]
        x = F.interpolate(x, size=self.image_shape[1:], mode="bicubic", align_corners=False)
        x = to_8_bit(x.clamp(0, 1)).repeat(1, self.image_shape[0], 1, 1)
        y = torch.from_numpy(digits.target).long()
        rest, test = stratified_split(Batch(x, y), self.test_size, self.split_seed)
        train, val = stratified_split(rest, self.val_size, self.split_seed)
        return {"train": train, "val": val, "test": test}
