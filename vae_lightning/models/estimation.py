"""Checks and blocks of images, for log p(x) and imputation."""

from collections.abc import Callable
from itertools import repeat

import torch
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.models.latent_variable_model import LatentVariableModel


def check_estimate(model: LatentVariableModel, method: str, **counts: int) -> None:
    """Check the arguments of a method that estimates something by sampling.

    Args:
        model: must be in eval mode.
        method: its name, for messages.
        **counts: arguments that must be positive.

    Raises:
        UserError: if a count is not, or the model is in training mode.
    """
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"{method}: {name}={value}: must be an integer >= 1.")
    if model.training:
        raise UserError(
            f"{method}: the model is in training mode, which would update its statistics. Call model.eval()."
        )


def map_blocks(estimate: Callable[..., Tensor], size: int, *images: Tensor | None) -> Tensor:
    """Apply a function to blocks of at most `size` images, which limits memory, and concatenate its results.

    Args:
        estimate: (x, y, ...) of a block -> one row per image.
        size: images per block.
        *images: x, y and others, (N, ...) each; those that are None stay None.
    """
    blocks = zip(*(repeat(None) if part is None else part.split(size) for part in images), strict=False)
    return torch.cat([estimate(*block) for block in blocks])
