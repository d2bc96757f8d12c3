"""The VAE with a bound on its distortion (GECO)."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import KL

LOG_LAMBDA_BOUND = math.log(1e6)
VIOLATION_WEIGHT = 10.0
FULL_STEP_AT = 0.01  # nats per value of an image


class GECOVAE(ELBOModule):
    """Minimize the rate, subject to distortion <= tolerance. Rezende & Viola 2018, Algorithm 1.

    The loss is rate + λ · constraint with constraint = distortion - tolerance, whose value is replaced by its moving
    average. After each training batch, log λ changes by step_size times this average in units of 0.01 nats per value of
    an image, but by step_size at most. The paper has no such limit; without it, the large distortion at the start would
    raise λ far beyond its final value, the 1/β that the tolerance requires.

    `objective` selects checkpoints, so it does not depend on λ, which changes: it is the rate, plus 10 nats for each
    nat by which the distortion of an epoch exceeds the tolerance. Its minimum is the constrained one unless λ exceeds
    10 there.

    Args:
        tolerance: the largest distortion, in nats per image.
        step_size: the largest change of log λ per batch, > 0.
        decay: of the moving average of the constraint, > 0 and < 1.
        **kwargs: those of `ELBOModule`.

    Attributes:
        log_lambda: log λ, (), at first 0.
        average: the moving average of the constraint, ().
        num_steps: the number of updates so far, ().
    """

    log_lambda: Tensor
    average: Tensor
    num_steps: Tensor

    def __init__(
        self, *, tolerance: float = 240.0, step_size: float = 0.01, decay: float = 0.99, **kwargs: Any
    ) -> None:
        super().__init__(regularizer=KL(beta=1.0), **kwargs)
        self.tolerance, self.step_size, self.decay = tolerance, step_size, decay
        self.register_buffer("log_lambda", torch.tensor(0.0))
        self.register_buffer("average", torch.tensor(0.0))
        self.register_buffer("num_steps", torch.tensor(0))

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the Lagrangian, and in training mode update λ for the next batch."""
        distortion = -all_gather_rows(out.px.log_prob(out.x)).mean()
        rate, terms = self.regularizer(out)
        constraint = distortion - self.tolerance
        factor = self.log_lambda.exp()
        if self.training:
            self.update_lambda(constraint.detach())
        value = self.average if self.training else constraint
        return {
            "loss": self.regularizer.apply_warmup(rate, terms, self.warmup)
            + factor * (constraint + (value - constraint).detach()),
            "objective": penalized_rate(rate, constraint),
            "distortion": distortion,
            **terms,
            "constraint": constraint,
            "lambda": factor,
        }

    def epoch_objective(self, means: dict[str, Tensor]) -> Tensor:
        """Return the objective of an epoch, whose mean distortion is constrained, not that of each batch."""
        return penalized_rate(means["rate"], means["constraint"])

    def update_lambda(self, constraint: Tensor) -> None:
        """Update the moving average and λ."""
        weight = torch.where(self.num_steps == 0, 1.0, 1 - self.decay)  # the first has weight 1
        self.average.lerp_(constraint.to(self.average), weight.to(self.average))
        relative = self.average / (FULL_STEP_AT * math.prod(self.image_shape))
        self.log_lambda += self.step_size * relative.clamp(-1, 1)
        self.log_lambda.clamp_(-LOG_LAMBDA_BOUND, LOG_LAMBDA_BOUND)
        self.num_steps += 1


def penalized_rate(rate: Tensor, constraint: Tensor) -> Tensor:
    """Return the rate, plus `VIOLATION_WEIGHT` nats for each nat by which the constraint is violated."""
    return rate + VIOLATION_WEIGHT * constraint.clamp_min(0)
