"""Controlled capacity increase: a penalty for a rate other than a given capacity."""

import math
from collections.abc import Sequence

from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import Regularizer
from vae_lightning.regularizers.kl import kl


class Capacity(Regularizer):
    """γ · |rate - C(t)|, where C(t) rises from C(0) to C in proportion to the warm-up. Burgess et al. 2018, Eq. 8.

    The rate is averaged over the batch before the difference is taken, since C is the average capacity of the code.
    Single images may have other rates.

    Args:
        gamma: γ >= 0.
        capacity: C >= 0, the final capacity in nats.
        initial_capacity: C(0) >= 0, in nats.
    """

    def __init__(self, *, gamma: float = 1000.0, capacity: float = 25.0, initial_capacity: float = 0.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.capacity, self.initial_capacity = capacity, initial_capacity

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (γ · |rate - C|, {rate})."""
        terms = {"rate": all_gather_rows(kl(out)).mean()}
        return self.apply_warmup(terms["rate"], terms, 1.0), terms

    def apply_warmup(self, penalty: Tensor, terms: dict[str, Tensor], warmup: float) -> Tensor:
        """Return γ · |rate - C(t)|. The warm-up raises the capacity, not γ."""
        return self.gamma * (terms["rate"] - self.capacity_at(warmup)).abs()

    def epoch_penalty(self, terms: dict[str, Tensor]) -> Tensor:
        """Return the penalty for the capacities at the end of the warm-up."""
        return self.apply_warmup(terms["rate"], terms, 1.0)

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return γ and C(t)."""
        return {"gamma": self.gamma, "capacity": self.capacity_at(warmup)}

    def capacity_at(self, warmup: float) -> float:
        """Return C(t) for a warm-up factor."""
        return self.initial_capacity + warmup * (self.capacity - self.initial_capacity)


class JointCapacity(Capacity):
    """γ · (|rate of continuous latents - C(t)| + |rate of categories - C_d(t)|). Dupont 2018, Eq. 7.

    C_d is at most the largest rate that the categories can have.

    Args:
        categories: numbers of categories K of the groups; the largest rate is Σ log K.
        gamma: γ >= 0.
        capacity: C >= 0, the final capacity of the continuous latents in nats.
        discrete_capacity: C_d >= 0, that of the categories.
    """

    def __init__(
        self,
        *,
        categories: Sequence[int],
        gamma: float = 30.0,
        capacity: float = 5.0,
        discrete_capacity: float = 5.0,
    ) -> None:
        super().__init__(gamma=gamma, capacity=capacity)
        self.discrete_capacity = min(discrete_capacity, sum(map(math.log, categories)))

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, continuous_rate, discrete_rate})."""
        continuous, discrete = (all_gather_rows(part).mean() for part in out.qz.kl_parts(out.pz))
        terms = {"rate": continuous + discrete, "continuous_rate": continuous, "discrete_rate": discrete}
        return self.apply_warmup(terms["rate"], terms, 1.0), terms

    def apply_warmup(self, penalty: Tensor, terms: dict[str, Tensor], warmup: float) -> Tensor:
        """Return the penalty for the capacities C(t) and C_d(t). The warm-up raises the capacities, not γ."""
        continuous = (terms["continuous_rate"] - self.capacity_at(warmup)).abs()
        return self.gamma * (continuous + (terms["discrete_rate"] - warmup * self.discrete_capacity).abs())

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return γ, C(t) and C_d(t)."""
        return {**super().effective_weights(warmup), "discrete_capacity": warmup * self.discrete_capacity}
