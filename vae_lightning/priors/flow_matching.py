"""Flow matching: a velocity field that carries noise to latents."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows
from vae_lightning.distributions.posterior import noise_like, promote_to_float32, sample_noise
from vae_lightning.priors.guidance import ConditionEmbedding, apply_guidance, guided_conditions, sample_in_passes
from vae_lightning.priors.standardized import Standardized, StandardizedPrior
from vae_lightning.priors.velocity import Velocity
from vae_lightning.types import LatentShape

SAMPLES_PER_PASS = 1000

VelocityField = Callable[[Tensor, Tensor], Tensor]  # points (B, D), times (B,) -> velocities (B, D)


class FlowMatching(StandardizedPrior):
    """Latents are the end, at time 1, of paths that start from N(0, I) at time 0. Lipman et al. 2023, Liu et al. 2023.

    The velocity is learned by regression on straight lines from noise to latents. There is no density in closed form,
    hence no rate. With labels, samples can be guided by them.

    Args:
        latent_dim: D.
        latent_shape: D, or the shape (C, h, w) of a map.
        condition_dim: K, or 0.
        width: see `Velocity`.
        blocks: see `Velocity`.
        integration_steps: number of steps of a sample, each with two evaluations of the network.
        drop_condition: the fraction of conditions that are left out in training.
        guidance: the strength of the condition in samples; see `apply_guidance`.
        **_: the other shapes of the model.
    """

    uses_condition = True
    has_density = False

    def __init__(
        self,
        *,
        latent_dim: int,
        latent_shape: LatentShape,
        condition_dim: int,
        width: int = 64,
        blocks: int = 4,
        integration_steps: int = 20,
        drop_condition: float = 0.1,
        guidance: float = 1.0,
        **_: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim)
        self.velocity = Velocity(latent_shape, width, blocks)
        self.condition = ConditionEmbedding(condition_dim, self.velocity.embedding_dim, drop_condition)
        self.integration_steps, self.guidance = integration_steps, guidance

    def forward(self, encode: Any, condition: Tensor | None) -> Standardized:
        """Return p(z), or p(z|y) given a condition (B, K)."""
        return Standardized(FlowMatchingDistribution(self, condition), self.shift, self.scale)

    def loss(self, pz: Standardized, z: Tensor) -> Tensor:
        """Compute ‖v(u_t, t) - (u - u_0)‖² of each image, (B,), at a random time t of the line from noise u_0 to u.

        Lipman et al. 2023, Eq. 23 with σ_min = 0.
        """
        u = pz.standardize(z)
        t = local_rows(torch.rand(global_batch_size(len(u)), dtype=u.dtype, device=u.device))
        noise = noise_like(u)
        point = torch.lerp(noise, u, t[:, None])
        velocity = self.field(point, t, pz.u.condition)
        return (velocity - (u - noise)).square().sum(1)

    def field(self, u: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """Return the velocity (B, D) at points u (B, D) and times t (B,), given a condition (B, K) or None."""
        return promote_to_float32(self.velocity(u, t, self.condition(condition, len(u))))


class FlowMatchingDistribution(NamedTuple):
    """The distribution at time 1.

    Attributes:
        prior: the velocity field.
        condition: (B, K), or None.
    """

    prior: FlowMatching
    condition: Tensor | None

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents, (n, D)."""
        shift = self.prior.shift
        noise = sample_noise(n, len(shift), shift, generator)
        return sample_in_passes(self.transport, noise, self.condition, SAMPLES_PER_PASS)

    def transport(self, noise: Tensor, condition: Tensor | None) -> Tensor:
        """Carry noise (n, D) from time 0 to time 1."""
        guidance = self.prior.guidance
        conditions = guided_conditions(condition, guidance)

        def field(u: Tensor, t: Tensor) -> Tensor:
            return apply_guidance([self.prior.field(u, t, c) for c in conditions], guidance)

        return integrate(field, noise, self.prior.integration_steps)


def integrate(field: VelocityField, u: Tensor, steps: int) -> Tensor:
    """Integrate du/dt = field(u, t) from time 0 to 1 by the midpoint method, whose error falls with 1 / steps².

    Args:
        field: the velocity.
        u: the points at time 0, (B, D).
        steps: of equal length.
    """
    dt = 1 / steps
    for step in range(steps):
        t = torch.full_like(u[:, 0], step * dt)
        u = u + dt * field(u + 0.5 * dt * field(u, t), t + 0.5 * dt)
    return u
