"""Tests of von Mises-Fisher distributions against Bessel functions, integrals and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaln, ive

from vae_lightning.errors import UserError
from vae_lightning.posteriors import VonMisesFisher, VonMisesFisherDistribution
from vae_lightning.posteriors.von_mises_fisher import UniformOnSphere, reflect

CONCENTRATIONS = torch.tensor([0.1, 1.0, 7.0, 100.0, 1e4, 1e6]).double()


def distribution(dim, concentration=CONCENTRATIONS):
    """Return distributions with random mean directions."""
    mu = torch.randn(len(concentration), dim, generator=torch.Generator().manual_seed(0)).to(concentration)
    return VonMisesFisherDistribution(mu / mu.norm(dim=1, keepdim=True), concentration)


@pytest.mark.parametrize("dim", [2, 3, 10, 64])
def test_density_and_mean_equal_those_with_bessel_functions(dim):
    """log C = (D/2 - 1) log κ - D/2 log 2π - log I_{D/2-1}(κ). Davidson et al. 2018, Eq. 4."""
    kappa, order = CONCENTRATIONS.numpy(), dim / 2 - 1
    with np.errstate(divide="ignore"):
        log_bessel = np.log(ive(order, kappa)) + kappa
    small = order * np.log(kappa / 2) - gammaln(order + 1)  # where the Bessel function underflows
    log_bessel = np.where(np.isfinite(log_bessel), log_bessel, small)
    log_c = order * np.log(kappa) - dim / 2 * math.log(2 * math.pi) - log_bessel
    q = distribution(dim)
    np.testing.assert_allclose(q.log_prob(q.mu), log_c + kappa, rtol=1e-9, atol=1e-5)
    resultant = 1 - q.table.mean_one_minus_w
    np.testing.assert_allclose(resultant[1:], (ive(dim / 2, kappa) / ive(order, kappa))[1:], rtol=1e-9)
    single = distribution(dim, CONCENTRATIONS.float())
    torch.testing.assert_close(single.log_prob(single.mu), q.log_prob(q.mu).float(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dim", [3, 10])
def test_kl_and_its_gradient_equal_numerical_integrals(dim):
    kappa = torch.tensor([1.0, 20.0]).double().requires_grad_()
    q = distribution(dim, kappa)
    kl = q.kl(UniformOnSphere(torch.zeros(1, dim)))

    def integral(k):
        def density(w):
            return math.exp(k * (w - 1)) * (1 - w * w) ** ((dim - 3) / 2)

        total, uniform = quad(density, -1, 1)[0], quad(lambda w: (1 - w * w) ** ((dim - 3) / 2), -1, 1)[0]
        return quad(lambda w: density(w) / total * (k * (w - 1) - math.log(total / uniform)), -1, 1)[0]

    assert kl.tolist() == pytest.approx([integral(k) for k in kappa.tolist()], rel=1e-8)
    (gradient,) = torch.autograd.grad(kl.sum(), kappa)
    expected = [(integral(k + 1e-4) - integral(k - 1e-4)) / 2e-4 for k in kappa.tolist()]
    assert gradient.tolist() == pytest.approx(expected, rel=1e-5)


def test_cosine_and_its_gradient_equal_the_inverse_distribution_function_in_three_dimensions():
    """w = 1 + log(u + (1 - u) exp(-2κ)) / κ, where u is the quantile."""
    kappa = torch.tensor([0.5, 3.0, 30.0, 1000.0]).double().repeat_interleave(50).requires_grad_()
    noise = torch.linspace(-3, 3, 50).double().repeat(4)
    q = distribution(3, kappa)
    z = q.rsample(torch.stack([noise, *torch.randn(2, 200).double()], dim=1))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(200).double())
    w = (z * q.mu).sum(1)
    u = torch.special.ndtr(noise)
    expected = 1 + torch.log(u + (1 - u) * torch.exp(-2 * kappa)) / kappa
    torch.testing.assert_close(kappa * (1 - w), kappa * (1 - expected), rtol=1e-4, atol=1e-6)
    gradient, expected_gradient = (torch.autograd.grad(x.sum(), kappa, retain_graph=True)[0] for x in (w, expected))
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dim", [2, 3, 10])
def test_draws_have_the_mean_and_the_density(dim):
    """The mean of draws is E[w] μ, and the mean of 1 / q over draws is the area of the sphere."""
    n = 20_000
    torch.manual_seed(0)
    q = distribution(dim, torch.tensor([2.0]))
    z = q.repeat(n).rsample()
    expected = (1 - q.table.mean_one_minus_w) * q.mu[0]
    assert ((z.mean(0) - expected).abs() < 5 / n**0.5).all()
    ratio = torch.exp(UniformOnSphere(q.mu).log_prob(z) - q.repeat(n).log_prob(z))
    assert ratio.mean().item() == pytest.approx(1, abs=5 * ratio.std().item() / n**0.5)


def test_reflection_is_orthogonal_and_maps_the_first_axis_to_mu():
    mu = torch.cat([torch.eye(4), -torch.eye(4), distribution(4).mu.float()])
    axis = torch.eye(4)[0].expand(len(mu), 4)
    torch.testing.assert_close(reflect(axis, mu), mu)
    z = torch.randn(len(mu), 4)
    torch.testing.assert_close(reflect(z, mu).norm(dim=1), z.norm(dim=1))
    torch.testing.assert_close((reflect(z, mu) * mu).sum(1), z[:, 0])


def test_one_coordinate_is_rejected():
    with pytest.raises(
        UserError, match=r"^model\.latent_dim=1: model/posterior=von_mises_fisher requires at least 2\."
    ):
        VonMisesFisher(4, 1)


def test_concentration_is_at_least_one():
    posterior = VonMisesFisher(4, 3)
    torch.nn.init.constant_(posterior.concentration.bias, -1000)
    assert posterior(torch.randn(2, 4)).concentration.tolist() == [1, 1]
