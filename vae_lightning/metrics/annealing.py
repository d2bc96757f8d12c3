"""Annealed importance sampling, whose bounds on log p(x) are tight for any prior and decoder, given enough steps.

References:
    Neal 2001, "Annealed importance sampling"; Wu et al. 2017, "On the quantitative analysis of decoder-based generative
    models"; Grosse et al. 2015, "Sandwiching the marginal likelihood using bidirectional Monte Carlo".
"""

from collections.abc import Callable

import torch
from torch import Tensor

LogDensity = Callable[[Tensor], Tensor]  # z (n, D) -> (n,), differentiable

LEAPFROG_STEPS = 10
TARGET_ACCEPTANCE = 0.65  # Neal 2011, section 4.4.3
ADAPTATION = 1.1  # factor on the step size after each transition
FIRST_STEP_SIZE = 0.5
SHARPNESS = 4.0  # of the sigmoid


def sigmoid_schedule(steps: int) -> Tensor:
    """Return the powers of the likelihood, (steps + 1,) from 0 to 1, spaced more densely at both ends.

    Wu et al. 2017, section 3: σ(δ(2t/T - 1)) with δ = 4, scaled to begin at 0 and end at 1.
    """
    betas = torch.linspace(-SHARPNESS, SHARPNESS, steps + 1, dtype=torch.float64).sigmoid()
    return (betas - betas[0]) / (betas[-1] - betas[0])


class Annealing:
    """Transitions from p(z) to p(z|x) through p(z) p(x|z)^β, by Hamiltonian Monte Carlo. Wu et al. 2017, section 3.

    Args:
        log_prior: log p(z) of n chains.
        log_likelihood: log p(x|z) of the same chains.
        steps: T, the number of distributions after p(z).
        generator: of the momenta; by default one with seed 0.
    """

    def __init__(
        self,
        log_prior: LogDensity,
        log_likelihood: LogDensity,
        *,
        steps: int,
        generator: torch.Generator | None = None,
    ) -> None:
        self.log_prior, self.log_likelihood = log_prior, log_likelihood
        self.betas = sigmoid_schedule(steps).tolist()
        self.generator = generator or torch.Generator().manual_seed(0)
        self.step_sizes = [FIRST_STEP_SIZE] * (steps + 1)

    def tune(self, z: Tensor) -> None:
        """Choose the step size of each distribution in a pilot run, so that about 65% of the proposals are accepted.

        A step size that adapts to the chains themselves would make the bounds invalid.

        Args:
            z: draws from p(z), (n, D), other than those of `forward_log_weights`.
        """
        size = FIRST_STEP_SIZE
        for t in range(1, len(self.betas)):
            self.step_sizes[t] = size
            z, accepted = self.transition(z, t)
            size *= ADAPTATION if accepted.double().mean() > TARGET_ACCEPTANCE else 1 / ADAPTATION

    def forward_log_weights(self, z: Tensor) -> Tensor:
        """Return log w of each chain, float64 (n,). E[w] = p(x), so E[log of the mean of w] <= log p(x).

        Args:
            z: draws from p(z), (n, D).
        """
        log_w = torch.zeros(len(z), dtype=torch.float64, device=z.device)
        for t in range(1, len(self.betas)):
            log_w += (self.betas[t] - self.betas[t - 1]) * self.log_likelihood(z).detach().double()
            if t < len(self.betas) - 1:
                z, _ = self.transition(z, t)
        return log_w

    def reverse_log_weights(self, z: Tensor) -> Tensor:
        """Return log w of each chain, float64 (n,). E[1/w] = 1/p(x), so E[-log of the mean of 1/w] >= log p(x).

        Args:
            z: draws from p(z|x), (n, D), which are known for images that were drawn from the model.
        """
        log_w = torch.zeros(len(z), dtype=torch.float64, device=z.device)
        for t in range(len(self.betas) - 1, 0, -1):
            if t < len(self.betas) - 1:
                z, _ = self.transition(z, t)
            log_w += (self.betas[t] - self.betas[t - 1]) * self.log_likelihood(z).detach().double()
        return log_w

    def transition(self, z: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Propose a move of every chain that leaves the t-th distribution invariant: z (n, D), and which were accepted.

        Neal 2011, Figure 2. A proposal with an infinite or undefined density is rejected.
        """
        size = self.step_sizes[t]
        start = torch.randn(z.shape, generator=self.generator).to(z)
        before, gradient = self.log_density(z, t)
        position, momentum = z, start + 0.5 * size * gradient
        for step in range(LEAPFROG_STEPS):
            position = position + size * momentum
            after, gradient = self.log_density(position, t)
            momentum = momentum + (size if step < LEAPFROG_STEPS - 1 else 0.5 * size) * gradient
        change = after - before - 0.5 * (momentum.square() - start.square()).sum(1)
        uniform = torch.rand(len(z), generator=self.generator).to(z)
        accepted = uniform.log() < change
        return torch.where(accepted[:, None], position, z), accepted

    def log_density(self, z: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Return log p(z) + β_t log p(x|z), (n,), and its gradient, (n, D)."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            value = self.log_prior(z) + self.betas[t] * self.log_likelihood(z)
            (gradient,) = torch.autograd.grad(value.sum(), z)
        return value.detach(), gradient
