"""Result of a forward pass, from which every objective is computed."""

from typing import Any, NamedTuple

import torch
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
        condition: the labels as the networks of a conditional model receive them, (B, K), or None.
    """

    x: Tensor
    y: Tensor | None
    qz: Any
    pz: Any
    z: Tensor
    px: Any
    condition: Tensor | None = None

    @property
    def prior_variable(self) -> Tensor:
        """The variable that the prior models: the latents z (B, D), or the indices (B, P) if they are codes."""
        return self.qz.indices if isinstance(self.qz, Codes) else self.z

    def append_condition(self, z: Tensor) -> Tensor:
        """Append the condition, if there is one, to latents (B, D): (B, D + K).

        Penalties that match q(z) to p(z) match the joint distributions of z and y instead. In a conditional model, the
        prior is that of each label, which q(z|y) may differ from while their mean over labels does not.
        """
        return z if self.condition is None else torch.cat([z, self.condition.to(z)], dim=1)
