"""Tests of the sliced Wasserstein distance by hand, by optimal transport, and of Gaussians in closed form."""

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import norm, wasserstein_distance

from vae_lightning.distributions import Bernoulli, DeltaDistribution, DiagonalGaussian, ForwardPass, StandardGaussian
from vae_lightning.regularizers import MMD, SlicedWasserstein, sliced_wasserstein


def directions(n: int, d: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))


def test_one_dimensional_gaussians_equal_the_closed_form():
    """W_2² of N(m, s²) and N(n, t²) is (m - n)² + (s - t)²; the samples are quantiles."""
    p = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    z = torch.from_numpy(norm.ppf(p.numpy()))[:, None]
    distance = sliced_wasserstein(1.0 + 2.0 * z, -0.5 + 0.5 * z.flip(0), torch.ones(1, 1, dtype=torch.float64))
    assert distance.item() == pytest.approx(1.5**2 + 1.5**2, rel=1e-3)


def test_shift_in_d_dimensions_equals_the_closed_form():
    """Each direction u shifts the projections by u·m, and the mean of (u·m)² over all directions is ‖m‖² / D."""
    z = torch.randn(50, 4, dtype=torch.float64)
    m = torch.tensor([2.0, 0.0, -1.0, 0.5], dtype=torch.float64)
    distance = sliced_wasserstein(z + m, z[torch.randperm(50)], directions(200_000, 4))
    assert distance.item() == pytest.approx(m.square().sum().item() / 4, rel=0.01)


def test_power_1_equals_scipy_along_each_direction():
    a, b = torch.randn(2, 30, 3, dtype=torch.float64)
    u = directions(5, 3)
    expected = [wasserstein_distance(a @ v, b @ v) for v in u]
    assert sliced_wasserstein(a, b, u, power=1.0).item() == pytest.approx(sum(expected) / 5)


def test_equal_samples_have_distance_0_and_a_finite_gradient():
    z = torch.randn(6, 2, requires_grad=True)
    distance = sliced_wasserstein(z, z.detach().flip(0), F.normalize(torch.randn(3, 2)), power=1.5)
    distance.backward()
    assert distance.item() == 0
    assert (z.grad == 0).all()


def test_penalty_is_weighted_and_falls_to_0_for_a_code_with_the_distribution_of_the_prior():
    torch.manual_seed(0)
    zeros, distances = torch.zeros(1, 2), []
    for n in (100, 10_000):
        x, z = torch.zeros(n, 1, 1, 1), torch.randn(n, 2)
        out = ForwardPass(x, None, DeltaDistribution(z), DiagonalGaussian(zeros, zeros), z, Bernoulli()(x))
        penalty, terms = SlicedWasserstein(lambda_sw=3.0)(out)
        assert penalty.item() == pytest.approx(3 * terms["sliced_wasserstein"].item())
        distances.append(terms["sliced_wasserstein"].item())
    assert 0 < distances[1] < 0.005 < distances[0] / 4


@pytest.mark.parametrize(
    "regularizer", [SlicedWasserstein(lambda_sw=1.0), MMD(alpha=1.0, lambda_mmd=1.0, kernel="imq")]
)
def test_classes_with_different_halves_of_the_prior_are_penalized_in_a_conditional_model(regularizer):
    """Both classes together have the distribution of the prior, but each has only half of it."""
    torch.manual_seed(0)
    y = torch.arange(1000) % 2
    z = torch.randn(1000, 1).abs() * (1 - 2 * y[:, None])
    prior = StandardGaussian(torch.zeros(1, 1), torch.zeros(1, 1))
    out = ForwardPass(None, y, DeltaDistribution(z), prior, z, None)
    pooled = regularizer(out)[0]
    given_labels = regularizer(out._replace(condition=F.one_hot(y)))[0]
    assert pooled < 0.02
    assert given_labels > 3 * pooled.abs()
    assert given_labels > 0.01


@pytest.mark.parametrize(
    ("regularizer", "least"),
    [
        (SlicedWasserstein(lambda_sw=1.0, num_projections=500), 0.75),
        (MMD(alpha=1.0, lambda_mmd=1.0, kernel="rbf"), 0.5),
    ],
)
def test_penalty_of_a_conditional_model_does_not_vanish_with_the_number_of_classes(regularizer, least):
    torch.manual_seed(0)
    z, y, zeros = 0.3 * torch.randn(500, 10), torch.arange(500) % 100, torch.zeros(1, 10)
    out = ForwardPass(None, y, DeltaDistribution(z), StandardGaussian(zeros, zeros), z, None)
    with_classes = regularizer(out._replace(condition=F.one_hot(y, 100)))[0]
    assert with_classes > least * regularizer(out)[0]
