"""Tests of the log-cosh likelihood by numerical integrals, and against the distributions that it becomes."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import hypsecant
from torch.distributions import Laplace

from vae_lightning.distributions import LogCosh
from vae_lightning.errors import UserError

X = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", [0.02, 0.1, 3.0])
@pytest.mark.parametrize("sharpness", [0.05, 0.5, 1.0, 10.0, 200.0])
def test_density_integrates_to_1(scale, sharpness):
    px = LogCosh(scale=scale, sharpness=sharpness).double()(torch.zeros(1, 1, 1, 1, dtype=torch.float64))

    def density(t: float) -> float:
        return px.log_prob(torch.full((1, 1, 1, 1), 0.5 + t, dtype=torch.float64)).exp().item()

    width = 40 * scale * max(1, sharpness**-0.5)
    assert 2 * quad(density, 0, width, points=[scale], limit=200)[0] == pytest.approx(1, abs=1e-6)


def test_sharpness_1_is_the_hyperbolic_secant_distribution():
    """SciPy's has the density sech(u) / π."""
    px = LogCosh(scale=0.2)(torch.zeros(2, 1, 3, 3))
    expected = hypsecant.logpdf(X.numpy(), loc=0.5, scale=0.2).sum((1, 2, 3))
    torch.testing.assert_close(px.log_prob(X), torch.from_numpy(expected).float())


def test_high_sharpness_is_the_laplace_distribution():
    px = LogCosh(scale=0.2, sharpness=1e5)(torch.zeros(2, 1, 3, 3))
    expected = Laplace(0.5, 0.2).log_prob(X).sum((1, 2, 3))
    torch.testing.assert_close(px.log_prob(X), expected, rtol=1e-4, atol=1e-3)


def test_differences_are_those_of_the_loss_of_chen_et_al():
    """f(t; a) = log cosh(a t) / a with a = sharpness / scale, divided by the scale."""
    px = LogCosh(scale=0.1, sharpness=1.0).double()(torch.zeros(2, 1, 1, 1, dtype=torch.float64))
    low, high = px.log_prob(torch.tensor([0.5, 0.9], dtype=torch.float64).view(2, 1, 1, 1))
    assert (low - high).item() == pytest.approx(math.log(math.cosh(10 * 0.4)) / 10 / 0.1)


def test_scale_fitted_to_each_batch_raises():
    with pytest.raises(
        UserError, match=r"^model.likelihood.scale_type=optimal: not a valid choice. Choose one of fixed,"
    ):
        LogCosh(scale_type="optimal")
