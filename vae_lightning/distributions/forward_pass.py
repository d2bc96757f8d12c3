"""Result of a forward pass, from which every objective is computed."""

from typing import Any, NamedTuple

from torch import Tensor

from vae_lightning.distributions.codes import Codes


class ForwardPass(NamedTuple):
    """A batch and the distributions that the model assigns to it.

    Attributes:
        x: images, (B, C, H, W) in [0, 1].
        y: labels, (B,) int64 or (B, A), or None for unlabeled data.
        qz: the posterior q(z|x).
        pz: the prior p(z).
        z: samples from qz, (B, D).
        px: the likelihood p(x|z).
    """

    x: Tensor
    y: Tensor | None
    qz: Any
    pz: Any
    z: Tensor
    px: Any

    @property
    def prior_variable(self) -> Tensor:
        """The variable that the prior models: the latents z (B, D), or the indices (B, P) if they are codes."""
        return self.qz.indices if isinstance(self.qz, Codes) else self.z
