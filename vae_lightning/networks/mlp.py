"""Fully connected networks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from vae_lightning.networks.base import Encoder, Network
from vae_lightning.types import Shape


@dataclass(frozen=True, kw_only=True)
class MLP(Network):
    """Hidden layers with the same widths in encoder and decoder. kingma-welling-replication, appendix A.

    The defaults are those of the paper. Its appendix lists two more layers in the decoder of the VAE (Linear-8 and
    Linear-9, for μ_θ and log σ_θ of p(x|z)), which are not part of the path to the reconstruction x̂. They are left out.

    Args:
        hidden_dims: widths of the encoder's hidden layers, from image to latents; the decoder reverses them.
        activation: name of a `torch.nn` module. With `GLU` the layers are gated, as in Tomczak & Welling 2018: each
            output is multiplied by the sigmoid of another one.
    """

    hidden_dims: Sequence[int] = field(default_factory=lambda: [500])
    activation: str = "Tanh"

    def encoder(self, image_shape: Shape, condition_dim: int) -> Encoder:
        """Build the encoder. The condition is appended to the flattened image."""
        return MLPEncoder([prod(image_shape) + condition_dim, *self.hidden_dims], self.activation)

    def decoder(self, input_dim: int, output_shape: Shape) -> nn.Module:
        """Build the decoder: the hidden layers in reverse order, then one linear layer to the image."""
        dims = [input_dim, *reversed(self.hidden_dims)]
        return nn.Sequential(
            *linear_layers(dims, self.activation),
            nn.Linear(dims[-1], prod(output_shape)),
            nn.Unflatten(1, tuple(output_shape)),
        )


class MLPEncoder(Encoder):
    """Encoder with linear layers, each followed by the activation.

    Args:
        dims: number of inputs, then the width of each layer.
        activation: name of a `torch.nn` module.
    """

    def __init__(self, dims: Sequence[int], activation: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(*linear_layers(dims, activation))
        self.num_features = dims[-1]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and a condition (B, K), to features (B, F)."""
        x = x.flatten(1)
        return self.layers(x if condition is None else torch.cat([x, condition], dim=1))


def linear_layers(dims: Sequence[int], activation: str) -> list[nn.Module]:
    """Return linear layers from dims[0] to dims[-1], each followed by the activation."""
    factor = num_inputs(activation)
    return [
        layer
        for n_in, n_out in pairwise(dims)
        for layer in (nn.Linear(n_in, factor * n_out), activation_layer(activation))
    ]


def activation_layer(name: str) -> nn.Module:
    """Return the `torch.nn` module of an activation; `GLU` takes its gates from the channels, or the features."""
    return nn.GLU(dim=1) if name == "GLU" else getattr(nn, name)()


def num_inputs(activation: str) -> int:
    """Return how many values an activation needs per output: 2 for `GLU`, of which one is the gate."""
    return 2 if activation == "GLU" else 1
