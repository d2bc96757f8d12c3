"""A dataset of your own: white squares on black, labeled by their size."""

from typing import Any

import torch

from vae_lightning.data import Batch, ImageDataModule


class Shapes(ImageDataModule):
    """Squares with sides of 4, 8 or 12 pixels at random positions.

    Args:
        num_images: of all splits together.
        **kwargs: those of `ImageDataModule`.
    """

    def __init__(self, *, num_images: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_images = num_images

    def load(self) -> dict[str, Batch]:
        """Return the images, uint8 (N, C, H, W), and labels, int64 (N,), of each split."""
        generator = torch.Generator().manual_seed(0)
        _, height, width = self.image_shape
        x = torch.zeros(self.num_images, *self.image_shape, dtype=torch.uint8)
        y = torch.randint(3, (self.num_images,), generator=generator)
        for image, label in zip(x, y.tolist(), strict=True):
            side = 4 * (label + 1)
            top = int(torch.randint(height - side + 1, (), generator=generator))
            left = int(torch.randint(width - side + 1, (), generator=generator))
            image[:, top : top + side, left : left + side] = 255
        bounds = {"train": (0, 0.8), "val": (0.8, 0.9), "test": (0.9, 1.0)}
        rows = {name: slice(*(int(end * self.num_images) for end in ends)) for name, ends in bounds.items()}
        return {name: Batch(x[part], y[part]) for name, part in rows.items()}
