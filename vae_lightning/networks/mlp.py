"""Fully connected networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from vae_lightning.networks.base import Encoder, Network
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class MLP(Network):
    """Hidden layers of the same widths on both sides. kingma-welling-replication, appendix A: [500] and Tanh.

    The appendix lists two more layers in the decoder of its VAE (Linear-8 and Linear-9, for μ_θ and log σ_θ of p(x|z))
    that its reconstruction x̂ does not pass through; they are left out here.

    Args:
        hidden_dims: the widths of the encoder's hidden layers, from image to latent; the decoder reverses them.
        activation: the name of a `torch.nn` module.
    """

    hidden_dims: Sequence[int]
    activation: str

    code_activation: ClassVar[str] = "Tanh"  # appendix A.2

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Flatten, join the condition, then the hidden layers."""
        return MLPEncoder([prod(image_shape) + condition_dim, *self.hidden_dims], self.activation)

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """The hidden layers in reverse, then one linear layer to the image."""
        dims = [input_dim, *reversed(self.hidden_dims)]
        return nn.Sequential(
            *linear_layers(dims, self.activation),
            nn.Linear(dims[-1], prod(output_shape)),
            nn.Unflatten(1, tuple(output_shape)),
        )


class MLPEncoder(Encoder):
    """Linear layers of widths `dims`, each followed by the activation."""

    def __init__(self, dims: Sequence[int], activation: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(*linear_layers(dims, activation))
        self.num_features = dims[-1]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and a condition (B, K), to features (B, F)."""
        x = x.flatten(1)
        return self.layers(x if condition is None else torch.cat([x, condition], dim=1))


def linear_layers(dims: Sequence[int], activation: str) -> list[nn.Module]:
    """Linear layers from dims[0] to dims[-1], each followed by the activation."""
    return [layer for n_in, n_out in pairwise(dims) for layer in (nn.Linear(n_in, n_out), getattr(nn, activation)())]
