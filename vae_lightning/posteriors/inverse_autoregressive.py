"""Inverse autoregressive flows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions import GaussianPosterior, Posterior
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.posteriors.flow import FlowDistribution
from vae_lightning.posteriors.shapes import vector_dim
from vae_lightning.types import LatentShape

INITIAL_GATE = 2.0  # before the sigmoid, so that the first updates are small; section 4 of the paper


class MaskedLinear(nn.Linear):
    """A linear layer without the connections from inputs of a degree to outputs of a lower one, or of the same.

    Args:
        in_degrees: of the inputs, int64.
        out_degrees: of the outputs.
        strict: whether a connection between equal degrees is left out as well.
    """

    mask: Tensor

    def __init__(self, in_degrees: Tensor, out_degrees: Tensor, *, strict: bool) -> None:
        super().__init__(len(in_degrees), len(out_degrees))
        mask = out_degrees[:, None] > in_degrees if strict else out_degrees[:, None] >= in_degrees
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, in) to (B, out)."""
        return F.linear(x, self.weight * self.mask, self.bias)


class AutoregressiveNetwork(nn.Module):
    """Maps z (B, D) and a context (B, H) to m and s (B, D), each of which depends on the latents before its own only.

    The masked autoencoder of Germain et al. 2015. The context is added before the first nonlinearity.

    Args:
        dim: D >= 2.
        hidden_dims: widths of the hidden layers; the first is H.
    """

    def __init__(self, dim: int, hidden_dims: Sequence[int]) -> None:
        super().__init__()
        inputs = torch.arange(dim)
        degrees = [inputs, *(torch.arange(width) % dim - 1 for width in hidden_dims)]  # -1 sees the context only
        hidden = [MaskedLinear(a, b, strict=False) for a, b in pairwise(degrees)]
        self.hidden = nn.ModuleList(hidden)
        self.output = MaskedLinear(degrees[-1], torch.cat([inputs, inputs]), strict=True)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return m and s, (B, D)."""
        first, *others = self.hidden
        x = F.elu(first(z) + context)
        for layer in others:
            x = F.elu(layer(x))
        m, s = self.output(x).chunk(2, dim=1)
        return m, s + INITIAL_GATE


class GatedTransform(NamedTuple):
    """f(z) = σ ⊙ z + (1 - σ) ⊙ m, with m and σ = sigmoid(s) from an autoregressive network. Then z is reversed.

    Kingma et al. 2016, Algorithm 1.

    Attributes:
        network: (z, context) -> m and s.
        context: (B, H).
    """

    network: Any
    context: Tensor

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map z (B, D); return the result and the log determinant of the map, (B,)."""
        m, s = self.network(z, self.context)
        return torch.lerp(m, z, torch.sigmoid(s)).flip(1), F.logsigmoid(s).sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Invert the map at z (B, D), latent by latent; return the result and the log determinant there, (B,)."""
        z = z.flip(1)
        inverse = s = torch.zeros_like(z)
        for _ in range(z.shape[1]):  # after d passes, the first d latents are exact
            m, s = self.network(inverse, self.context)
            inverse = (z - torch.sigmoid(-s) * m) / torch.sigmoid(s)
        return inverse, F.logsigmoid(s).sum(1)

    def repeat(self, k: int) -> "GatedTransform":
        """Return the maps of k·B draws, the batch k times in a row."""
        return GatedTransform(self.network, self.context.repeat(k, 1))


class InverseAutoregressiveFlow(Posterior):
    """A Gaussian mapped by gated autoregressive transforms, given features of the image. Kingma et al. 2016.

    A draw and its density take one pass per transform, the density of any other z D passes. The order of the latents is
    reversed after each transform.

    Args:
        num_features: F.
        latent_shape: D.
        transforms: number of transforms in a row.
        hidden_dims: widths of the hidden layers of the network in each transform.

    Raises:
        UserError: if the latents form a map, or there is only one.
    """

    def __init__(
        self, num_features: int, latent_shape: LatentShape, *, transforms: int = 4, hidden_dims: Sequence[int] = (128,)
    ) -> None:
        super().__init__()
        dim = vector_dim(latent_shape, "iaf", smallest=2)
        if not hidden_dims:
            raise UserError("model.posterior.hidden_dims=[]: requires at least one layer. Set it to [128].")
        self.base = GaussianPosterior(num_features, latent_shape)
        self.context = nn.Linear(num_features, hidden_dims[0])
        self.networks = nn.ModuleList(AutoregressiveNetwork(dim, hidden_dims) for _ in range(transforms))

    def forward(self, features: Tensor) -> FlowDistribution:
        """Map features (B, F) to q(z|x)."""
        context = promote_to_float32(self.context(features))
        return FlowDistribution(self.base(features), [GatedTransform(network, context) for network in self.networks])
