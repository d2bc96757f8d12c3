"""Classifier-free guidance: conditions are dropped at random in training, and extrapolated from in sampling."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows


class ConditionEmbedding(nn.Module):
    """Embeds a condition (B, K), or its absence, as vectors (B, width).

    Args:
        condition_dim: K, or 0.
        width: of the embedding.
        drop: the fraction of conditions that are replaced by their absence in training. Ho & Salimans 2022,
            Algorithm 1.
    """

    def __init__(self, condition_dim: int, width: int, drop: float) -> None:
        super().__init__()
        self.absent = nn.Parameter(torch.zeros(width))
        self.present = nn.Linear(condition_dim, width) if condition_dim else None
        self.drop = drop

    def forward(self, condition: Tensor | None, n: int) -> Tensor:
        """Embed the conditions of n images, (n, width)."""
        absent = self.absent.expand(n, -1)
        if condition is None or self.present is None:
            return absent
        present = self.present(condition)
        if not self.training:
            return present
        dropped = local_rows(torch.rand(global_batch_size(n), 1, device=present.device)) < self.drop
        return torch.where(dropped, absent, present)


def sample_in_passes(
    draw: Callable[[Tensor, Tensor | None], Tensor], noise: Tensor, condition: Tensor | None, size: int
) -> Tensor:
    """Map noise to samples a few rows at a time, which bounds the memory.

    Args:
        draw: noise (b, ...) and its conditions (b, K) or None -> samples (b, ...).
        noise: (n, ...).
        condition: (n, K), or None.
        size: rows per pass.
    """
    rows = noise.split(size)
    conditions = [None] * len(rows) if condition is None else condition.split(size)
    return torch.cat([draw(*pair) for pair in zip(rows, conditions, strict=True)])


def guided_conditions(condition: Tensor | None, guidance: float) -> list[Tensor | None]:
    """Return the conditions whose outputs `apply_guidance` requires: the given one, and None if it is guided."""
    return [condition] if condition is None or guidance == 1 else [condition, None]


def apply_guidance(outputs: Sequence[Tensor], guidance: float) -> Tensor:
    """Extrapolate from the output without a condition to that with it. Ho & Salimans 2022, Eq. 6.

    Args:
        outputs: one for each of the `guided_conditions`.
        guidance: 1 + w; 0 ignores the condition, 1 uses it as trained, more exaggerates it.
    """
    given, *absent = outputs
    return absent[0] + guidance * (given - absent[0]) if absent else given
