"""A rate that is led along a rising capacity."""

from torch import Tensor

from vae_lightning.distributions import Inference, gather
from vae_lightning.regularizers.base import Regularizer
from vae_lightning.regularizers.kl import kl


class Capacity(Regularizer):
    """γ · |rate - C(t)| with C(t) = warm-up · C. Burgess et al. 2018, Eq. 8.

    The rate is the mean over the batch before the difference is taken: C is what the code may hold on average, and an
    image may need more than another.

    Args:
        gamma: γ ≥ 0.
        capacity: C ≥ 0, in nats: where C(t) ends.
    """

    def __init__(self, *, gamma: float, capacity: float) -> None:
        super().__init__()
        self.gamma = gamma
        self.capacity = capacity

    def forward(self, s: Inference) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (γ · |rate - C|, {rate})."""
        terms = {"rate": gather(kl(s)).mean()}
        return self.warmed(terms["rate"], terms, 1.0), terms

    def warmed(self, penalty: Tensor, terms: dict[str, Tensor], warmup: float) -> Tensor:
        """γ · |rate - C(t)|: the warm-up raises the capacity, not γ."""
        return self.gamma * (terms["rate"] - warmup * self.capacity).abs()

    def schedule(self, warmup: float) -> dict[str, float]:
        """γ, and C(t)."""
        return {"gamma": self.gamma, "capacity": warmup * self.capacity}
