"""A dSprites that is drawn at set-up: white shapes on black, every factor known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError

FACTORS = ("shape", "scale", "orientation", "x", "y")
SHAPES = ("square", "ellipse", "heart")


class SpritesDataModule(ImageDataModule):
    """Every combination of shape, scale, orientation, x and y once, after dSprites (Matthey et al. 2017).

    The labels are the five factors, int64 (N, 5), as indices of their values: shapes square, ellipse, heart; scales
    from 0.5 to 1; orientations from 0 to a full turn, which is left out; positions from one side to the other, in
    whole pixels. As in dSprites, a square looks the same after a quarter of a turn, an ellipse after half of one.

    Args:
        factor_sizes: how many values each factor takes; the full grid of dSprites is [3, 6, 40, 32, 32].
        val_size: the number of validation images.
        test_size: the number of test images.
        split_seed: draws the splits.
        **loading: those of `ImageDataModule`.

    Raises:
        UserError: when there are not five factors, more than three shapes, or images too small.
    """

    def __init__(
        self, *, factor_sizes: Sequence[int], val_size: int, test_size: int, split_seed: int, **loading: Any
    ) -> None:
        super().__init__(**loading)
        if len(factor_sizes) != len(FACTORS) or factor_sizes[0] > len(SHAPES):
            raise UserError(
                f"data.factor_sizes={list(factor_sizes)}: type [shapes, scales, orientations, xs, ys], at most"
                f" {len(SHAPES)} shapes"
            )
        if min(self.image_shape[1:]) < 16:
            raise UserError(f"data.image_shape={list(self.image_shape)}: sprites need 16 x 16 pixels or more")
        self.factor_sizes = list(factor_sizes)
        self.label_names = list(FACTORS)
        self.val_size, self.test_size, self.split_seed = val_size, test_size, split_seed

    def load(self) -> dict[str, Batch]:
        """Draw all, then split at random."""
        x, y = draw(self.factor_sizes, self.image_shape[1:])
        order = np.random.default_rng(self.split_seed).permutation(len(x))
        x = x[order][:, None].repeat(1, self.image_shape[0], 1, 1)
        return in_a_row(Batch(x, y[order]), self.val_size, self.test_size)


def in_a_row(images: Batch, val_size: int, test_size: int) -> dict[str, Batch]:
    """The splits of images in random order, as views: the test's first, then the validation's.

    Raises:
        UserError: when nothing would be left to train on.
    """
    n = len(images.x)
    if val_size + test_size >= n:
        raise UserError(
            f"data: {n:,} images cannot spare data.val_size={val_size} and data.test_size={test_size};"
            " type smaller ones"
        )
    parts = [t.split([test_size, val_size, n - val_size - test_size]) for t in images if t is not None]
    test, val, train = (Batch(*part) for part in zip(*parts, strict=True))
    return {"train": train, "val": val, "test": test}


def draw(factor_sizes: Sequence[int], size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """All images, uint8 (N, H, W), and their factors, int64 (N, 5), the last factor varying fastest."""
    height, width = size
    sides = (height // 2, width // 2)  # of the window that a sprite is drawn in; it moves within the other half
    shapes, scales, turns, xs, ys = factor_sizes
    images = np.zeros((shapes, scales, turns, xs, ys, height, width), dtype=np.uint8)
    lefts, tops = (np.linspace(0, full - side, n).round().astype(int) for full, side, n in
                   ((width, sides[1], xs), (height, sides[0], ys)))  # fmt: skip
    for s in range(shapes):
        for k, scale in enumerate(np.linspace(0.5, 1, scales) if scales > 1 else [1.0]):
            for t in range(turns):
                sprite = 255 * inside(SHAPES[s], scale, 2 * np.pi * t / turns, sides)
                for i, left in enumerate(lefts):
                    for j, top in enumerate(tops):
                        images[s, k, t, i, j, top : top + sides[0], left : left + sides[1]] = sprite
    factors = np.stack(np.unravel_index(np.arange(np.prod(factor_sizes)), factor_sizes), axis=1)
    return torch.from_numpy(images.reshape(-1, height, width)), torch.from_numpy(factors.astype(np.int64))


def inside(shape: str, scale: float, angle: float, sides: tuple[int, int]) -> np.ndarray:
    """Which pixels' centres lie in a shape turned by an angle, uint8 of 0 and 1, (H/2, W/2).

    At scale 1 every shape fits into the circle that fits into the window.
    """
    v, u = (2 * (np.arange(n) + 0.5) / n - 1 for n in sides)
    u, v = np.meshgrid(u, v)
    a = (np.cos(angle) * u + np.sin(angle) * v) / scale  # in the shape's own axes
    b = (np.cos(angle) * v - np.sin(angle) * u) / scale
    if shape == "square":
        within = np.maximum(abs(a), abs(b)) <= 0.7  # half a side; half a diagonal is 0.99
    elif shape == "ellipse":
        within = a**2 + (2 * b) ** 2 <= 1
    else:  # the heart (a² + b² - 1)³ ≤ a² b³, upside down since rows count downwards
        a, b = 1.25 * a, -1.25 * b + 0.1
        within = (a**2 + b**2 - 1) ** 3 <= a**2 * b**3
    return within.astype(np.uint8)
