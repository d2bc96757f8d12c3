"""Noise scales of pixels: fixed, learned, output by the decoder, or optimal for the images.

Scales are in units in which black is 0 and white is 1. Each module returns log s, broadcastable to (B, C, H, W).

Every learned scale has a floor. Without it, the density would grow without bound as the scale shrinks on pixels that
never change, such as the black margin of a digit.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import sum_across_processes
from vae_lightning.errors import UserError, check_choice

MIN_SCALE = 1e-3  # floor of a learned scale, a quarter of the step between two gray values
MOMENTUM = 0.1  # weight of a new batch in the running averages, as in batch normalization

SCALE_TYPES = ("fixed", "model", "channel", "pixel", "optimal")


def check_start(start: float, minimum: float) -> None:
    """Check that a learned scale starts above its floor.

    Raises:
        UserError: if it does not.
    """
    if start <= minimum:
        raise UserError(
            f"model.likelihood: a learned scale must start above {minimum}, got {start}. Use a larger sigma or scale."
        )


class FixedScale(nn.Module):
    """Constant scale, the same for all pixels."""

    log_scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)

    def forward(self) -> Tensor:
        """Return log s, ()."""
        return self.log_scale


class OffsetScale(nn.Module):
    """Maps an unbounded offset to log s: s = start at 0, and s ≈ start · e^offset far above the floor.

    s² = minimum² + (start² − minimum²) · e^(2 · offset). So the floor hardly affects typical values of s, and the
    gradient does not vanish near it.

    Args:
        start: s at offset 0.
        minimum: the floor.

    Raises:
        UserError: if start is not above the floor.
    """

    def __init__(self, start: float, minimum: float = MIN_SCALE) -> None:
        super().__init__()
        check_start(start, minimum)
        self.log_minimum = math.log(minimum)
        self.log_excess = math.log((start / minimum) ** 2 - 1)

    def forward(self, offset: Tensor) -> Tensor:
        """Return log s, with the shape of the offset."""
        return self.log_minimum + 0.5 * F.softplus(2 * offset + self.log_excess)


class LearnedScale(nn.Module):
    """Learned scale, one for all pixels or one per channel.

    Its parameter is the offset from the initial value, so weight decay pulls s toward the initial value, not toward 1.

    Args:
        start: initial s.
        shape: () for a single scale, (C, 1, 1) for one per channel.

    Raises:
        UserError: if start is not above the floor.
    """

    def __init__(self, start: float, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(shape))
        self.log_scale = OffsetScale(start)

    def forward(self) -> Tensor:
        """Return log s, of the given shape."""
        return self.log_scale(self.offset)


class OptimalScale(nn.Module):
    """Scale that makes the images of a batch most likely, sᵖ = mean |x − mean|ᵖ. Rybkin et al. 2021.

    During training each batch has its own scale. Evaluation uses the running average of sᵖ, since a scale fitted to the
    evaluated images would not give a density and would depend on the batch size.

    Args:
        start: s for evaluation before the first training batch.
        power: p, 2 for Gaussian and 1 for Laplace noise.

    Raises:
        UserError: if start is not above the floor.
    """

    moment: Tensor  # (), average of |x − mean|ᵖ over pixels, of which those of later batches have a larger weight
    pixels: Tensor  # (), running average of the number of pixels of a batch, 0 before the first

    def __init__(self, start: float, power: int) -> None:
        super().__init__()
        check_start(start, MIN_SCALE)
        self.power = power
        self.register_buffer("moment", torch.tensor(float(start**power)))
        self.register_buffer("pixels", torch.tensor(0.0))

    def forward(self) -> Tensor:
        """Return log s from the running average, ()."""
        return self.log_scale(self.moment)

    @torch.no_grad()
    def fit(self, deviation: Tensor) -> Tensor:
        """Return the optimal log s, (), for deviations x - mean, (B, C, H, W), and update the running average of sᵖ.

        All processes get the same scale, that of their deviations together.

        No gradient flows through s. The gradient of the mean log density is exact nevertheless, since its derivative
        with respect to s is 0 at the optimum (envelope theorem).
        """
        moments = deviation.abs().pow(self.power)
        total, count = sum_across_processes(torch.stack([moments.sum(), moments.new_full((), moments.numel())]))
        moment = total / count
        self.pixels.lerp_(count.to(self.pixels), MOMENTUM)
        self.moment.lerp_(moment.to(self.moment), (MOMENTUM * count / self.pixels).to(self.moment))
        return self.log_scale(moment)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Accept checkpoints from before batches were weighted by their sizes; the next batch starts the averages."""
        if state_dict.pop(f"{prefix}batches", None) is not None:
            state_dict[f"{prefix}pixels"] = torch.zeros_like(self.pixels)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def log_scale(self, moment: Tensor) -> Tensor:
        """Return log s for sᵖ. Below the floor it is that of the floor, the most likely value allowed."""
        return moment.clamp(min=MIN_SCALE**self.power).log() / self.power


def build_scale(scale_type: str, start: float, power: int, image_shape: Sequence[int] | None) -> nn.Module:
    """Build the scale of a likelihood.

    Args:
        scale_type: `fixed`; `model`, one learned scale; `channel`, one learned scale per channel; `pixel`, output by
            the decoder; or `optimal`, fitted to the images.
        start: the scale, or its initial value if it is learned.
        power: p of the density, see `OptimalScale`.
        image_shape: (C, H, W), required for `channel` only.

    Raises:
        UserError: if `scale_type` is none of these, the scale is not above 0 or its floor, or `image_shape` is
            missing.
    """
    check_choice("model.likelihood.scale_type", scale_type, SCALE_TYPES)
    if start <= 0:
        raise UserError(f"model.likelihood: the scale of a pixel, such as sigma, must be > 0, got {start}.")
    if scale_type == "fixed":
        return FixedScale(start)
    if scale_type == "optimal":
        return OptimalScale(start, power)
    if scale_type == "pixel":
        return OffsetScale(start)
    if scale_type == "model":
        return LearnedScale(start, ())
    if image_shape is None:
        raise UserError(
            "model.likelihood.scale_type=channel: requires the image shape. Set model.likelihood.image_shape=[C,H,W]."
        )
    return LearnedScale(start, (image_shape[0], 1, 1))
