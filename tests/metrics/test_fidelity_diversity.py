"""Precision, recall, density and coverage of points whose neighbors are known, and their expectations."""

import math

import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.metrics import FidelityDiversity, precision_recall_density_coverage

REAL = torch.tensor([0.0, 1.0, 3.0, 10.0]).view(-1, 1)  # radii for k = 1: 1, 1, 2, 7; for k = 2: 3, 2, 3, 9


@pytest.mark.parametrize(
    ("generated", "k", "k_density", "expected"),
    [
        # 4.5 is in the balls of 3 and 10, 20 and 22 in none; the generated radii are 15.5, 2, 2
        ([4.5, 20.0, 22.0], 1, 1, (1 / 3, 1, 2 / 3, 2 / 4)),
        # with k = 2, 4.5 is in the balls of 3 and 10, 19 in that of 10, at its surface; the radii are 100.5, 86, 100.5
        ([4.5, 19.0, 105.0], 2, 2, (2 / 3, 1, 3 / (2 * 3), 2 / 4)),
        # a collapsed model: both are in the balls of 0 and 1, and their own balls have radius 0
        ([0.5, 0.5], 1, 1, (1, 0, 2, 2 / 4)),
        # 1.25 is in the balls of 1 and 3 for k = 1, and in those of 0, 1, 3 and 10 for k = 2; -1.5 in none and in one
        ([1.25, -1.5], 1, 2, (1 / 2, 3 / 4, (4 + 1) / (2 * 2), 4 / 4)),
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_points_on_a_line(generated, k, k_density, expected, chunk):
    points = torch.tensor(generated).view(-1, 1)
    found = precision_recall_density_coverage(REAL, points, k=k, k_density=k_density, chunk=chunk)
    assert found == pytest.approx(expected)


def test_copies_of_repeated_points_are_covered():
    real = torch.randn(20, 512, generator=torch.Generator().manual_seed(0)).repeat(8, 1)  # all balls have radius 0
    found = precision_recall_density_coverage(real, real)
    assert found == FidelityDiversity(precision=1, recall=1, density=8 / 5, coverage=1)


def test_distant_points_do_not_overlap():
    points = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert precision_recall_density_coverage(points, points + 100) == (0, 0, 0, 0)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (60, 30)])
def test_expectations_for_equal_distributions(n, m):
    """Naeem et al. 2020, Lemmas 1 and 2. The tolerance is four standard errors."""
    generator = torch.Generator().manual_seed(0)
    found = torch.tensor(
        [
            precision_recall_density_coverage(*torch.randn(n + m, 4, generator=generator).split([n, m]))
            for _ in range(400)
        ]
    )
    means, errors = found.mean(0), found.std(0) / 20
    coverage = 1 - math.prod((n - i) / (n + m - i) for i in range(1, 6))
    assert abs(means[2] - 1) < 4 * errors[2]
    assert abs(means[3] - coverage) < 4 * errors[3]
    assert max(errors[2:]) < 0.01


def test_too_few_points_raise():
    with pytest.raises(UserError, match="k=3, k_density=5: 5 real and 9 generated points"):
        precision_recall_density_coverage(torch.rand(5, 2), torch.rand(9, 2))
    with pytest.raises(UserError, match="9 real and 3 generated points"):
        precision_recall_density_coverage(torch.rand(9, 2), torch.rand(3, 2))
