"""Fidelity and diversity of samples: improved precision and recall, density and coverage."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import as_tensor

ROUNDING = 1e-12  # of squared distances in float64, relative to the squared norms, with thousands of features


class FidelityDiversity(NamedTuple):
    """How well two sets of points overlap. The ball of a point reaches to its k-th nearest neighbor in the same set.

    Attributes:
        precision: the fraction of generated points in the ball of a real point. Kynkäänniemi et al. 2019.
        recall: the fraction of real points in the ball of a generated point. Kynkäänniemi et al. 2019.
        density: the number of balls of real points that contain a generated point, averaged and divided by k. Naeem et
            al. 2020. It can exceed 1; its expectation is 1 if both distributions are equal (Lemma 1).
        coverage: the fraction of real points whose ball contains a generated point. Naeem et al. 2020. If both
            distributions are equal, its expectation is 1 - Π_{i=1..k} (N - i) / (N + M - i) for N real and M generated
            points (Lemma 2).
    """

    precision: float
    recall: float
    density: float
    coverage: float


@torch.no_grad()
def precision_recall_density_coverage(
    real: Any, generated: Any, *, k: int = 3, k_density: int = 5, chunk: int = 1000
) -> FidelityDiversity:
    """Compare generated with real points.

    All four depend on the numbers of points, so compare only values for equal numbers. A point on the surface of a ball
    is in it, so copies of the real points have a precision and coverage of 1, even if points are repeated.

    >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> precision_recall_density_coverage(real, real + 2.5, k=1, k_density=1)
    FidelityDiversity(precision=0.5, recall=0.5, density=0.75, coverage=0.5)

    Args:
        real: (N, F), such as features of images, N > k and N > k_density.
        generated: (M, F), M > k.
        k: the neighbors of precision and recall; 3 as in Kynkäänniemi et al. 2019.
        k_density: the neighbors of density and coverage; 5 as in Naeem et al. 2020.
        chunk: the rows of the distance matrix that are in memory at a time, which does not affect the results.

    Raises:
        UserError: if there are too few points.
    """
    if len(real) <= max(k, k_density) or len(generated) <= k:
        raise UserError(
            f"k={k}, k_density={k_density}: {len(real)} real and {len(generated)} generated points do not have as many"
            " neighbors. Pass more points."
        )
    real, generated = as_tensor(real).double(), as_tensor(generated).double()
    radii, density_radii = neighbor_radii(real, [k, k_density], chunk)
    (generated_radii,) = neighbor_radii(generated, [k], chunk)
    precise = balls = 0
    recalled, covered = torch.zeros(2, len(real), dtype=torch.bool, device=real.device)
    for points, own_radii in zip(generated.split(chunk), generated_radii.split(chunk), strict=True):
        distances = squared_distances(points, real)
        precise += int((distances <= radii).any(1).sum())
        recalled |= (distances <= own_radii[:, None]).any(0)
        in_ball = distances <= density_radii
        balls += int(in_ball.sum())
        covered |= in_ball.any(0)
    return FidelityDiversity(
        precision=precise / len(generated),
        recall=recalled.double().mean().item(),
        density=balls / (k_density * len(generated)),
        coverage=covered.double().mean().item(),
    )


def neighbor_radii(x: Tensor, neighbors: list[int], chunk: int) -> list[Tensor]:
    """Return the squared distance (N,) of each x (N, F) to its k-th nearest other point, for each k in neighbors.

    The bound of the rounding errors is added, so that a point at this very distance is not farther away.
    """
    most = max(neighbors) + 1  # the nearest of all is the point itself
    nearest = torch.cat([squared_distances(rows, x).topk(most, largest=False).values for rows in x.split(chunk)])
    tolerance = ROUNDING * x.square().sum(1).max()
    return [nearest[:, k] + tolerance for k in neighbors]


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared Euclidean distances (N, M) between points a (N, F) and b (M, F), by a matrix product."""
    return torch.addmm(b.square().sum(1), a, b.T, alpha=-2) + a.square().sum(1, keepdim=True)
