"""Sliced Wasserstein distance between the aggregate posterior and the prior."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import Regularizer


def sliced_wasserstein(a: Tensor, b: Tensor, directions: Tensor, power: float = 2.0) -> Tensor:
    """Compute the mean of W_p^p between two samples over directions, a scalar. Kolouri et al. 2018, section 3.

    Projected onto a direction, the samples are on a line, where the optimal transport pairs them in sorted order. The
    mean over all directions is SW_p^p. Samples of the same distribution have a positive distance, which falls with
    their size.

    >>> a, b = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[2.0], [4.0], [0.0]])
    >>> sliced_wasserstein(a, b, directions=torch.ones(1, 1))  # (0 + 1 + 1) / 3
    tensor(0.6667)

    Args:
        a: first sample, (N, D).
        b: second sample, (N, D).
        directions: unit vectors, (L, D).
        power: p >= 1.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = ((x @ directions.T).sort(dim=0).values for x in (a, b))
    return (a - b).abs().pow(power).mean()


class SlicedWasserstein(Regularizer):
    """λ · SW_p^p(q(z), p(z)), with random directions for each batch. Kolouri et al. 2018, section 3.

    Args:
        lambda_sw: λ >= 0.
        num_projections: L, the number of directions.
        power: p >= 1.
    """

    def __init__(self, *, lambda_sw: float = 100.0, num_projections: int = 50, power: float = 2.0) -> None:
        super().__init__()
        self.lambda_sw, self.num_projections, self.power = lambda_sw, num_projections, power

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (λ · distance, {sliced_wasserstein})."""
        draws = (out.append_condition(draws) for draws in (out.z, out.pz.sample(len(out.z))))
        z, prior = map(all_gather_rows, draws)
        directions = F.normalize(torch.randn(self.num_projections, z.shape[1], dtype=z.dtype, device=z.device))
        directions *= (z.shape[1] / out.z.shape[1]) ** 0.5  # so that the part of z has length 1 on average
        distance = sliced_wasserstein(z, prior, directions, self.power)
        return self.lambda_sw * distance, {"sliced_wasserstein": distance}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weight of the distance."""
        return {"lambda_sw": warmup * self.lambda_sw}
