"""Normalizing flows, built by the library zuko."""

from abc import abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributions.posterior import promote_to_float32, sample_noise
from vae_lightning.errors import UserError
from vae_lightning.priors.standardized import Standardized, StandardizedPrior


class ZukoDistribution(NamedTuple):
    """Distribution of u, where f(u) ~ N(0, I).

    Neither direction runs in half precision, which would change densities by nats.

    Attributes:
        flow: condition -> a `zuko.distributions.NormalizingFlow` with the transform f.
        condition: (B, K), or None.
        dim: D.
    """

    flow: nn.Module
    condition: Tensor | None
    dim: int

    def log_prob(self, u: Tensor) -> Tensor:
        """Compute the log density of u (B, D), log N(f(u); 0, I) + log |det ∂f/∂u|: (B,), in nats."""
        with torch.autocast(u.device.type, enabled=False):
            return self.flow(self.condition).log_prob(promote_to_float32(u))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D), by inverting f."""
        weights = next(self.flow.parameters())
        with torch.autocast(weights.device.type, enabled=False):
            return self.flow(self.condition).transform.inv(sample_noise(n, self.dim, weights, generator))


class Flow(StandardizedPrior):
    """Base class of normalizing flows. With labels, p(z|y).

    Args:
        latent_dim: D.
        condition_dim: K, or 0.
        transforms: number of transforms in a row.
        hidden_dims: widths of the hidden layers of the network in each transform.
        **_: the other shapes of the model.

    Raises:
        UserError: if zuko is not installed, or there is only one latent.
    """

    uses_condition = True

    def __init__(
        self,
        *,
        latent_dim: int,
        condition_dim: int,
        transforms: int = 5,
        hidden_dims: Sequence[int] = (256, 256),
        **_: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim)
        if find_spec("zuko") is None:
            raise UserError("model/prior: normalizing flows require zuko. Run pip install zuko, or set another prior.")
        if latent_dim == 1:
            raise UserError("model.latent_dim=1: a flow needs at least 2. Set model/prior=gaussian_mixture.")
        self.flow = self.build(latent_dim, condition_dim, transforms=transforms, hidden_features=tuple(hidden_dims))

    @abstractmethod
    def build(self, features: int, context: int, **kwargs: Any) -> nn.Module:
        """Return the flow of zuko."""

    def forward(self, encode: Any, condition: Tensor | None) -> Standardized:
        """Return p(z), or p(z|y) given a condition (B, K)."""
        return Standardized(ZukoDistribution(self.flow, condition, len(self.shift)), self.shift, self.scale)


class AutoregressiveFlow(Flow):
    """Masked autoregressive flow. Papamakarios et al. 2017.

    A density takes one pass per transform, a sample D passes, latent by latent.
    """

    def build(self, features: int, context: int, **kwargs: Any) -> nn.Module:
        """Return the flow of zuko."""
        from zuko.flows import MAF

        return MAF(features, context, **kwargs)


class CouplingFlow(Flow):
    """Neural spline flow with coupling transforms. Durkan et al. 2019; coupling as in Real NVP, Dinh et al. 2017.

    A density takes one pass per transform, a sample two.
    """

    def build(self, features: int, context: int, **kwargs: Any) -> nn.Module:
        """Return the flow of zuko."""
        from zuko.flows import NSF

        return NSF(features, context, passes=2, **kwargs)
