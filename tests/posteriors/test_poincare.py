"""Tests of wrapped normal distributions: geometry, the integral of the density, draws, and one dimension."""

import math

import pytest
import torch
from torch.distributions import Normal

from vae_lightning.posteriors import WrappedNormal
from vae_lightning.posteriors.poincare import exp_origin, log_origin, mobius_add

CURVATURES = [0.5, 1.0, 3.0]
MU = torch.tensor([[0.3, -0.2]]).double()
LOGVAR = torch.tensor([[-1.0, 0.3]]).double()


def distance(x, y, c):
    """Compute the distance by the hyperbolic cosine. Mathieu et al. 2019, Eq. 2."""
    squared, xx, yy = ((x - y).square().sum(1), x.square().sum(1), y.square().sum(1))
    return torch.acosh(1 + 2 * c * squared / ((1 - c * xx) * (1 - c * yy))) / math.sqrt(c)


@pytest.mark.parametrize("c", CURVATURES)
def test_length_of_the_tangent_vector_is_the_distance(c):
    v = torch.randn(20, 2).double()
    z = exp_origin(v, c)
    torch.testing.assert_close(distance(torch.zeros_like(z), z, c), v.norm(dim=1))
    torch.testing.assert_close(log_origin(z, c), v)
    torch.testing.assert_close(distance(MU.expand(20, 2), mobius_add(MU, z, c), c), v.norm(dim=1))


@pytest.mark.parametrize("c", CURVATURES)
def test_density_integrates_to_one(c):
    """In polar coordinates, the element of area is sinh(√c r) / √c dr dθ."""
    r = torch.linspace(0, 12, 1201).double()[1:]
    angle = torch.linspace(0, 2 * math.pi, 721).double()[:-1]
    radii, angles = torch.meshgrid(r, angle, indexing="ij")
    points = exp_origin(torch.stack([radii * angles.cos(), radii * angles.sin()], dim=-1).flatten(0, 1), c)
    area = torch.sinh(math.sqrt(c) * radii.flatten()) / math.sqrt(c) * (r[1] - r[0]) * (angle[1] - angle[0])
    q = WrappedNormal(MU, LOGVAR, c)
    assert (q.log_prob(points).exp() * area).sum().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("c", CURVATURES)
def test_density_of_a_draw_is_that_of_the_same_point(c):
    torch.manual_seed(0)
    q = WrappedNormal(MU, LOGVAR, c).repeat(1000)
    z = q.rsample()
    assert (c * z.square().sum(1) < 1).all()
    torch.testing.assert_close(q.log_prob(z), q.log_prob(z.clone()), rtol=1e-6, atol=1e-6)


def test_importance_weights_of_draws_average_to_one():
    torch.manual_seed(0)
    n = 100_000
    q = WrappedNormal(MU, LOGVAR, 1.0).repeat(n)
    z = q.rsample()
    p = WrappedNormal(torch.zeros(1, 2).double(), torch.full((1, 2), -2.0).double(), 1.0)
    ratio = torch.exp(p.log_prob(z) - q.log_prob(z))
    assert ratio.mean().item() == pytest.approx(1, abs=5 * ratio.std().item() / n**0.5)


def test_one_dimension_is_a_normal_distribution_of_the_arc_length():
    mu, logvar = torch.tensor([[0.5]]).double(), torch.tensor([[-1.0]]).double()
    z = torch.linspace(-0.9, 0.9, 7).double()[:, None]
    arc = 2 * (torch.atanh(z) - torch.atanh(mu))
    expected = Normal(0.0, math.exp(-0.5)).log_prob(arc).squeeze(1)
    torch.testing.assert_close(WrappedNormal(mu, logvar, 1.0).log_prob(z), expected)


def test_gradients_at_the_origin_are_finite():
    zeros = torch.zeros(1, 2, requires_grad=True)
    q = WrappedNormal(exp_origin(zeros, 1.0), zeros, 1.0)
    z = q.rsample(torch.zeros(1, 2))
    (gradient,) = torch.autograd.grad(
        (q.log_prob(z) - WrappedNormal(0 * MU.float(), 0 * MU.float(), 1.0).log_prob(z)).sum(), zeros
    )
    assert gradient.isfinite().all()


@pytest.mark.parametrize("mean", [[0.3, 0.1], [0.0, 0.0]])
def test_density_at_the_mean_is_that_of_the_normal_distribution(mean):
    q = WrappedNormal(torch.tensor([mean]), torch.zeros(1, 2), 1.0)
    expected = torch.tensor([-math.log(2 * math.pi)])
    for z in (q.mean, q.rsample(torch.zeros(1, 2))):
        torch.testing.assert_close(q.log_prob(z), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("distance", [5e-5, 1e-3])
def test_density_near_the_mean_is_accurate_in_single_precision(distance):
    def log_prob_and_gradient(dtype):
        zeros = torch.zeros(1, 10, dtype=dtype)
        z = torch.full((1, 10), distance, dtype=dtype, requires_grad=True)
        log_prob = WrappedNormal(zeros, zeros, 1.0).log_prob(z)
        return log_prob.double(), torch.autograd.grad(log_prob.sum(), z)[0].double()

    for actual, expected in zip(
        log_prob_and_gradient(torch.float32), log_prob_and_gradient(torch.float64), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0.01)


def test_density_at_the_edge_of_the_ball_is_finite():
    assert WrappedNormal(torch.zeros(1, 2), torch.zeros(1, 2), 1.0).log_prob(torch.tensor([[1.0, 0.0]])).isfinite()
