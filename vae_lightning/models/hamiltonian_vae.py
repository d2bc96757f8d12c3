"""The Hamiltonian VAE."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, GaussianPosterior
from vae_lightning.distributions.posterior import noise_like
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.double_backward import differentiable_twice
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.regularizers import KL

MAX_STEP_SIZE = 0.5  # larger steps make the integrator unstable


class HamiltonianDraw(NamedTuple):
    """Draws z_K that Hamiltonian dynamics have moved from z_0 ~ q(z_0|x), with their log density ratio.

    Attributes:
        start: q(z_0|x), (B, D).
        log_q: log q(z_0|x), plus the log density of the first momentum, minus that of the last, (B,), in nats. With
            log p(x, z_K) it gives the weights of the augmented space, whose mean is p(x).
    """

    start: DiagonalGaussian
    log_q: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of z_0, (B, D)."""
        return self.start.mu

    def log_prob(self, z: Tensor) -> Tensor:
        """Return `log_q` of the draws z."""
        return self.log_q

    def kl(self, p: Any) -> None:
        """Return None, since the KL has no closed form."""


class HamiltonianVAE(ELBOModule):
    """A posterior that follows the gradient of log p(x, z) by Hamiltonian dynamics. Caterini et al. 2018, Algorithm 1.

    The momentum starts at γ / √β_0 with γ ~ N(0, I), and is cooled after each leapfrog step, to the inverse temperature
    1 by the quadratic schedule. The map from (z_0, γ) to (z_K, ρ_K) preserves volume, so the rate is log q(z_0|x) +
    log N(γ) - log N(ρ_K) - log p(z_K). Step sizes, one per latent, and β_0 are learned. `encode` returns q(z_0|x).

    Args:
        leapfrog_steps: K >= 1, each with a gradient of the decoder, and one more.
        leapfrog_step_size: the initial step size, between 0 and 0.5.
        inverse_temperature: the initial β_0, between 0 and 1.
        **kwargs: the others of `ELBOModule`.

    Raises:
        UserError: if leapfrog_step_size or inverse_temperature are out of their ranges, or the scale of the likelihood
            is fitted to each batch.
    """

    supports_fitted_scale = False

    def __init__(
        self,
        *,
        leapfrog_steps: int = 4,
        leapfrog_step_size: float = 0.05,
        inverse_temperature: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(regularizer=KL(beta=1.0), own_posterior=GaussianPosterior, **kwargs)
        for name, value, high in (
            ("leapfrog_step_size", leapfrog_step_size, MAX_STEP_SIZE),
            ("inverse_temperature", inverse_temperature, 1.0),
        ):
            if not 0 < value < high:
                raise UserError(f"model.{name}={value}: must be between 0 and {high}. Set model.{name}={high / 10}.")
        self.leapfrog_steps = leapfrog_steps
        ratio = leapfrog_step_size / MAX_STEP_SIZE
        self.step_logit = nn.Parameter(torch.full((self.latent_dim,), math.log(ratio / (1 - ratio))))
        self.temperature_logit = nn.Parameter(torch.tensor(inverse_temperature).logit())

    @property
    def noise_dim(self) -> int:
        """Number of standard normal variables per draw, 2D: those of z_0, then those of the momentum γ."""
        return 2 * self.latent_dim

    def draw(
        self, x: Tensor, y: Tensor | None, num_samples: int, noise: Tensor | None
    ) -> tuple[HamiltonianDraw, Tensor]:
        """Encode images, draw z_0 and a momentum, and move them."""
        if torch.is_inference_mode_enabled():  # which the gradient with respect to z could not be computed in
            with torch.inference_mode(False), torch.no_grad():
                return self.draw(x.clone(), None if y is None else y.clone(), num_samples, noise)
        q = self.encode(x, y).repeat(num_samples)
        x, y = repeat_rows(self.as_images(x), num_samples), repeat_rows(y, num_samples)
        noise = noise_like(q.mu.repeat(1, 2)) if noise is None else noise.to(q.mu)
        of_start, of_momentum = noise.chunk(2, dim=1)
        start = q.rsample(of_start)
        z, log_ratio = self.follow(start, of_momentum, x, y)
        return HamiltonianDraw(q, q.log_prob(start) + log_ratio), z

    def follow(self, z: Tensor, noise: Tensor, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Draw momenta from standard normal noise and move latents, (B, D) each.

        Returns:
            the new latents, and the log density of the first momenta minus that of the last, (B,).
        """
        moved, final_momentum = self.move(z, noise, x, y)
        return moved, 0.5 * (final_momentum.square() - noise.square()).sum(1)

    def move(self, z: Tensor, momentum: Tensor, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Move latents and momenta γ, (B, D) each, by K leapfrog steps with tempering."""
        step_size = self.step_size()
        scales = self.momentum_scales()
        momentum = scales[0] * momentum
        force = self.log_joint_gradient(z, x, y)
        for previous, scale in pairwise(scales):
            momentum = momentum + 0.5 * step_size * force
            z = z + step_size * momentum
            force = self.log_joint_gradient(z, x, y)
            momentum = (momentum + 0.5 * step_size * force) * (scale / previous)
        return z, momentum

    def step_size(self) -> Tensor:
        """Return the learned step size of each latent, (D,)."""
        return MAX_STEP_SIZE * torch.sigmoid(self.step_logit)

    def momentum_scales(self) -> Tensor:
        """Return β_k^(-1/2) for k = 0, ..., K, which falls quadratically in k to 1. Caterini et al. 2018, section 3."""
        first = torch.rsqrt(torch.sigmoid(self.temperature_logit))
        progress = torch.linspace(0, 1, self.leapfrog_steps + 1, dtype=first.dtype, device=first.device)
        return first + (1 - first) * progress.square()

    def log_joint_gradient(self, z: Tensor, x: Tensor, y: Tensor | None) -> Tensor:
        """Compute the gradient of log p(x, z) with respect to z, (B, D), differentiable if gradients are enabled."""
        is_training = torch.is_grad_enabled()
        with differentiable_twice():
            z = z if z.requires_grad else z.detach().requires_grad_()
            log_joint = self.decode(z, y).log_prob(x) + self.prior(self.encode, self.condition(y)).log_prob(z)
            return torch.autograd.grad(log_joint.sum(), z, create_graph=is_training)[0]
