"""Tests of flows: the change of variables, the integral of the density, draws, and the inverse."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from vae_lightning.errors import UserError
from vae_lightning.posteriors import InverseAutoregressiveFlow, PlanarFlow
from vae_lightning.posteriors.planar import relative_slope

FLOWS = [PlanarFlow, partial(InverseAutoregressiveFlow, hidden_dims=(16,))]


def random_flow(cls, dim, n=1):
    """Return distributions far from a Gaussian, of n random images."""
    torch.manual_seed(1)
    posterior = cls(4, dim, transforms=3).double()
    for parameter in posterior.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return posterior(torch.randn(n, 4).double())


@pytest.mark.parametrize("cls", FLOWS)
def test_density_integrates_to_one(cls):
    q = random_flow(cls, 2)
    draws = q.repeat(10_000).rsample()
    low, high = draws.min(0).values - 1, draws.max(0).values + 1
    axis = torch.linspace(0, 1, 301).double()
    grid = low + (high - low) * torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = q.repeat(len(grid)).log_prob(grid).exp().mean() * (high - low).prod()
    assert total.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("cls", FLOWS)
def test_density_of_a_draw_equals_the_change_of_variables(cls):
    q = random_flow(cls, 4, n=3)
    noise = torch.randn(3, 4).double()
    z = q.rsample(noise)
    jacobian = torch.autograd.functional.jacobian(lambda e: q.rsample(e).sum(0), noise).transpose(0, 1)
    expected = Normal(0.0, 1.0).log_prob(noise).sum(1) - jacobian.det().abs().log()
    z = q.rsample(noise)
    torch.testing.assert_close(q.log_prob(z), expected)
    torch.testing.assert_close(q.log_prob(z.clone()), expected)  # by inversion


@pytest.mark.parametrize("cls", FLOWS)
def test_gradient_of_the_inverse_is_that_of_the_draw(cls):
    q = random_flow(cls, 3, n=2)
    z = q.rsample(torch.randn(2, 3).double()).detach()
    assert torch.autograd.gradcheck(q.log_prob, z.clone().requires_grad_())


@pytest.mark.parametrize("cls", FLOWS)
def test_importance_weights_of_draws_average_to_one(cls):
    q = random_flow(cls, 3)
    torch.manual_seed(0)
    n = 100_000
    repeated = q.repeat(n)
    z = repeated.rsample()
    ratios = torch.exp(Normal(z.mean(0), z.std(0)).log_prob(z).sum(1) - repeated.log_prob(z))
    assert ratios.mean().item() == pytest.approx(1, abs=5 * ratios.std().item() / n**0.5)


def test_draw_of_another_call_has_its_own_density():
    q = random_flow(PlanarFlow, 3)
    first = q.rsample(torch.zeros(1, 3).double())
    expected = q.log_prob(first)
    q.rsample(torch.ones(1, 3).double())
    torch.testing.assert_close(q.log_prob(first), expected)


def test_planar_flow_is_invertible_for_any_parameters():
    posterior = PlanarFlow(1, 2)
    parameters = torch.randn(10_000, 5).double() * torch.logspace(-12, 2, 10_000)[:, None].double()
    f = posterior.planar(parameters)
    torch.testing.assert_close(f.slope, (f.w * f.u).sum(1))
    assert ((f.w * f.u).sum(1) > -0.999).all()
    torch.testing.assert_close(f.slope, (f.w * f.u).sum(1), rtol=0, atol=1e-9)
    large = posterior.planar(100 * torch.randn(10_000, 5))
    assert (large.slope > -0.9901).all()  # which wᵀu in single precision is not
    u = parameters[:, :2]
    assert ((f.u - u).norm(dim=1) < u.norm(dim=1) + 1 / f.w.norm(dim=1).clamp_min(1)).all()  # also for small w
    assert posterior.planar(torch.zeros(1, 5)).u.tolist() == [[0, 0]]


def test_planar_flow_with_small_w_is_accurate_in_single_precision():
    posterior = PlanarFlow(1, 1)
    u, w, b = torch.randn(3, 1000, 1, generator=torch.Generator().manual_seed(0)).double()
    parameters = torch.cat([u, 1e-3 * w.sign(), b], dim=1)

    def u_and_gradient(dtype):
        leaf = parameters.to(dtype).requires_grad_()
        f = posterior.planar(leaf)
        return f.u.detach().double(), torch.autograd.grad((f.u * b.to(dtype)).sum(), leaf)[0].double()

    for actual, expected in zip(u_and_gradient(torch.float32), u_and_gradient(torch.float64), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3)


def test_relative_slope_of_planar_flows_is_that_of_the_softplus():
    x = torch.cat([torch.logspace(-3, 1.5, 200), -torch.logspace(-3, 1.5, 200)]).double().requires_grad_()
    expected = (F.softplus(x + math.log(math.e - 1)) - 1) / x
    torch.testing.assert_close(relative_slope(x), expected, rtol=1e-7, atol=1e-9)
    (gradient,) = torch.autograd.grad(relative_slope(x).sum(), x)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), x)[0], rtol=1e-5, atol=1e-8)


def test_autoregressive_network_is_autoregressive_and_uses_the_context():
    torch.manual_seed(0)
    network = InverseAutoregressiveFlow(4, 5, hidden_dims=(16, 12)).networks[0]
    z, context = torch.randn(1, 5), torch.randn(1, 16)
    for output in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda z: network(z, context)[output][0], z)[:, 0]  # noqa: B023
        assert torch.equal(jacobian != 0, torch.ones(5, 5).tril(-1).bool())
        jacobian = torch.autograd.functional.jacobian(lambda c: network(z, c)[output][0], context)[:, 0]  # noqa: B023
        assert (jacobian != 0).any(1).all()


def test_unsupported_shapes_are_rejected():
    with pytest.raises(UserError, match=r"^model\.latent_dim=1: model/posterior=iaf requires at least 2\. Set"):
        InverseAutoregressiveFlow(4, 1)
    with pytest.raises(UserError, match=r"^model\.posterior\.hidden_dims=\[\]: requires at least one layer\."):
        InverseAutoregressiveFlow(4, 2, hidden_dims=[])
    for cls, name in ((InverseAutoregressiveFlow, "iaf"), (PlanarFlow, "planar")):
        with pytest.raises(UserError, match=rf"^model/posterior={name}: requires a vector of latents, not a map\."):
            cls(4, (2, 3, 3))
