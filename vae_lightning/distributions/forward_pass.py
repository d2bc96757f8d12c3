"""What one pass through a model knows: the input of every objective."""

from typing import Any, NamedTuple

from torch import Tensor


class ForwardPass(NamedTuple):
    """One batch and all that the model says about it.

    Attributes:
        x: images, (B, C, H, W) in [0, 1].
        y: labels, (B,) int64 or (B, A), or None for unlabelled data.
        qz: the posterior q(z|x).
        pz: the prior p(z).
        z: latents drawn from qz, (B, D).
        px: the likelihood p(x|z).
    """

    x: Tensor
    y: Tensor | None
    qz: Any
    pz: Any
    z: Tensor
    px: Any
