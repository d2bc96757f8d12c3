"""How wide the noise of a pixel is, and who says so: the scales of the likelihoods that have one.

A scale is on the range of the images, where black is 0 and white is 1. Each module here gives log s, broadcastable to
(B, C, H, W).

A density on [0, 1] grows without bound where a scale that is learned shrinks on pixels that never change, such as the
black margin of a digit. So every learned scale has a floor.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.errors import UserError, check_choice

MIN_SCALE = 1e-3  # the floor of a learned scale of a density: a quarter of the step between two grey values
MOMENTUM = 0.1  # the weight of a new batch in the running average, as in batch normalisation; the first weighs 1

SCALE_TYPES = ("fixed", "model", "channel", "pixel", "optimal")


def check_start(start: float, minimum: float) -> None:
    """Raise UserError when a learned scale does not start above its floor."""
    if start <= minimum:
        raise UserError(f"likelihood: a learned scale must start above its floor, {minimum}, not at {start}")


class FixedScale(nn.Module):
    """One s for every pixel, as it was given."""

    log_scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)

    def forward(self) -> Tensor:
        """Log s, ()."""
        return self.log_scale


class OffsetScale(nn.Module):
    """Log s from an unbounded number, the offset: s = start at 0, s ≈ start · e^offset above the floor.

    s² = minimum² + (start² − minimum²) · e^(2 · offset), so that a healthy s is what it would be without the floor, and
    one that has come near it still has a gradient that can lead away.

    Args:
        start: s at offset 0.
        minimum: the floor.

    Raises:
        UserError: when start is not above the floor.
    """

    def __init__(self, start: float, minimum: float = MIN_SCALE) -> None:
        super().__init__()
        check_start(start, minimum)
        self.log_minimum = math.log(minimum)
        self.log_excess = math.log((start / minimum) ** 2 - 1)

    def forward(self, offset: Tensor) -> Tensor:
        """Log s, of the offset's shape."""
        return self.log_minimum + 0.5 * F.softplus(2 * offset + self.log_excess)


class LearnedScale(nn.Module):
    """One s for all pixels, or for each channel, learned with the weights.

    Its parameter is the offset from the start, so that weight decay pulls it there and not to s = 1.

    Args:
        start: s before training.
        shape: () for one, (C, 1, 1) for one a channel.

    Raises:
        UserError: when start is not above the floor.
    """

    def __init__(self, start: float, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(shape))
        self.at = OffsetScale(start)

    def forward(self) -> Tensor:
        """Log s, of the shape that was given."""
        return self.at(self.offset)


class OptimalScale(nn.Module):
    """The s under which the images of a batch are most likely, sᵖ = mean |x − mean|ᵖ. Rybkin et al. 2021.

    In training each batch has its own; in evaluation it is the running average of sᵖ, since what is fitted to the very
    images it is to judge is no density, and would depend on the size of the batch.

    Args:
        start: s in evaluation, before the first batch.
        power: p, 2 for Gaussian and 1 for Laplace noise.

    Raises:
        UserError: when start is not above the floor.
    """

    moment: Tensor  # (): the running average of sᵖ
    batches: Tensor  # (): how many it has seen

    def __init__(self, start: float, power: int) -> None:
        super().__init__()
        check_start(start, MIN_SCALE)
        self.power = power
        self.register_buffer("moment", torch.tensor(float(start**power)))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self) -> Tensor:
        """The running log s, ()."""
        return self.log_scale(self.moment)

    @torch.no_grad()
    def fit(self, deviation: Tensor) -> Tensor:
        """The best log s, (), for these x - mean, (B, C, H, W). Its sᵖ enters the running average.

        It is a constant to the gradient, which is exact nevertheless: at the optimum the log density is flat in s, so
        that a change of the mean acts through s not at all (the envelope theorem). That holds for the mean log density,
        so not for the bound of `iwae`, whose gradient takes s as given.
        """
        moment = deviation.abs().pow(self.power).mean()
        self.moment.lerp_(moment.to(self.moment), torch.where(self.batches == 0, 1.0, MOMENTUM).to(self.moment))
        self.batches += 1
        return self.log_scale(moment)

    def log_scale(self, moment: Tensor) -> Tensor:
        """Log s of sᵖ; at the floor it is the best of those that are allowed."""
        return moment.clamp(min=MIN_SCALE**self.power).log() / self.power


def build_scale(scale_type: str, start: float, power: int, image_shape: Sequence[int] | None) -> nn.Module:
    """The scale that `scale_type`, one of LEARN, names.

    Args:
        scale_type: who says the scale: `fixed`, `model` (one for all pixels, learned), `channel` (one for each
            channel, learned), `pixel` (the decoder, for each pixel), `optimal` (the images themselves).
        start: the scale, or where it starts.
        power: p of the density, see `OptimalScale`.
        image_shape: (C, H, W), needed for `channel` alone.

    Raises:
        UserError: when `scale_type` is none of these, the scale is not above 0 or its floor, or the shape is needed and
            missing.
    """
    check_choice("model.likelihood.scale_type", scale_type, SCALE_TYPES)
    if start <= 0:
        raise UserError(f"likelihood: the scale of a pixel, such as sigma, must be above 0, not {start}")
    if scale_type == "fixed":
        return FixedScale(start)
    if scale_type == "optimal":
        return OptimalScale(start, power)
    if scale_type == "pixel":
        return OffsetScale(start)
    if scale_type == "model":
        return LearnedScale(start, ())
    if image_shape is None:
        raise UserError("likelihood: scale_type=channel needs image_shape=(C, H, W)")
    return LearnedScale(start, (image_shape[0], 1, 1))
