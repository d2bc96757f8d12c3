"""White shapes on black with known factors, like dSprites, but drawn at startup instead of downloaded."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from vae_lightning.data.factors import FactorDataModule, all_combinations
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.splits import split_in_order
from vae_lightning.errors import UserError

FACTORS = ("shape", "scale", "orientation", "x", "y")
SHAPES = ("square", "ellipse", "heart")


class SpritesDataModule(FactorDataModule):
    """Every combination of shape, scale, orientation, x and y, after dSprites (Matthey et al. 2017).

    The labels are the five factors, int64 (N, 5), as indices of their values: shapes square, ellipse, heart; scales
    from 0.5 to 1; orientations from 0 up to, but excluding, a full turn; positions across the image, in whole pixels.
    As in dSprites, a square looks the same after a quarter turn, and an ellipse after half a turn.

    Args:
        factor_sizes: number of values of each factor; [3, 6, 40, 32, 32] in dSprites.
        val_size: number of validation images.
        test_size: number of test images.
        split_seed: seed of the splits, which do not depend on `seed`.
        **loading: arguments of `FactorDataModule`.

    Raises:
        UserError: if there are not five factors, there are more than three shapes, or the images are too small.
    """

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (1, 64, 64), "batch_size": 64}

    def __init__(
        self,
        *,
        factor_sizes: Sequence[int] = (3, 6, 8, 16, 16),
        val_size: int = 1000,
        test_size: int = 5000,
        split_seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**{**self.defaults, **loading})
        if len(factor_sizes) != len(FACTORS) or factor_sizes[0] > len(SHAPES):
            raise UserError(
                f"data.factor_sizes={list(factor_sizes)}: must be [shapes, scales, orientations, xs, ys], with at most"
                f" {len(SHAPES)} shapes."
            )
        if min(self.image_shape[1:]) < 16:
            raise UserError(
                f"data.image_shape={list(self.image_shape)}: sprites require at least 16 x 16 pixels. Set a larger"
                " data.image_shape."
            )
        self.factor_sizes = list(factor_sizes)
        self.label_names = list(FACTORS)
        self.val_size, self.test_size, self.split_seed = val_size, test_size, split_seed

    def load(self) -> dict[str, Batch]:
        """Draw all images and split them at random."""
        x, y = draw_sprites(self.factor_sizes, self.image_shape[1:])
        order = np.random.default_rng(self.split_seed).permutation(len(x))
        x = x[order][:, None].repeat(1, self.image_shape[0], 1, 1)
        return split_in_order(Batch(x, y[order]), self.val_size, self.test_size)


def draw_sprites(factor_sizes: Sequence[int], size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all images, uint8 (N, H, W), and their factors, int64 (N, 5), of which the last varies fastest."""
    height, width = size
    window = (height // 2, width // 2)  # that a shape is drawn in; half the image, so it can move by the other half
    shapes, scales, turns, xs, ys = factor_sizes
    images = np.zeros((shapes, scales, turns, xs, ys, height, width), dtype=np.uint8)
    tops = np.linspace(0, height - window[0], ys).round().astype(int)
    lefts = np.linspace(0, width - window[1], xs).round().astype(int)
    for s in range(shapes):
        for k, scale in enumerate(np.linspace(0.5, 1, scales) if scales > 1 else [1.0]):
            for t in range(turns):
                sprite = 255 * rasterize(SHAPES[s], scale, 2 * np.pi * t / turns, window)
                for i, left in enumerate(lefts):
                    for j, top in enumerate(tops):
                        images[s, k, t, i, j, top : top + window[0], left : left + window[1]] = sprite
    return torch.from_numpy(images.reshape(-1, height, width)), torch.from_numpy(all_combinations(factor_sizes))


def rasterize(shape: str, scale: float, angle: float, window: tuple[int, int]) -> np.ndarray:
    """Return which pixel centers of a window (height, width) lie inside a rotated shape: uint8 of 0 and 1.

    At scale 1 every shape fits into the ellipse inscribed in the window.
    """
    v, u = (2 * (np.arange(n) + 0.5) / n - 1 for n in window)
    u, v = np.meshgrid(u, v)
    a = (np.cos(angle) * u + np.sin(angle) * v) / scale  # coordinates in the axes of the shape
    b = (np.cos(angle) * v - np.sin(angle) * u) / scale
    if shape == "square":
        within = np.maximum(abs(a), abs(b)) <= 0.7  # half a side; half a diagonal is 0.99
    elif shape == "ellipse":
        within = a**2 + (2 * b) ** 2 <= 1
    else:  # the heart (a² + b² - 1)³ ≤ a² b³, upside down since rows count downwards
        a, b = 1.25 * a, -1.25 * b + 0.1
        within = (a**2 + b**2 - 1) ** 3 <= a**2 * b**3
    return within.astype(np.uint8)
