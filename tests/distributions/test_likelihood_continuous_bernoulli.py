"""Tests of the continuous Bernoulli against decimal arithmetic, torch.distributions and numerical integrals."""

from decimal import Decimal, localcontext

import pytest
import torch
from torch.distributions import ContinuousBernoulli as TorchContinuousBernoulli

from vae_lightning.distributions import ContinuousBernoulli
from vae_lightning.distributions.likelihoods.expm1_ratio import exponential_quantile

MAGNITUDES = [1e-30, 1e-6, 0.01, 0.4999, 0.5, 0.5001, 1, 3, 17, 88, 100, 1000, 1e5]
LOGITS = [*MAGNITUDES, *(-magnitude for magnitude in MAGNITUDES)]


def exact(logit: float) -> tuple[Decimal, Decimal]:
    """Compute log((e^l - 1) / l) and its derivative, which is the mean."""
    with localcontext() as context:
        context.prec = 100
        t = Decimal(logit)
        e = t.exp()
        return ((e - 1) / t).ln(), e / (e - 1) - 1 / t


def images(logits: list[float], x: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one single-pixel image of logits per logit, and as many images with gray value x."""
    output = torch.tensor(logits).view(-1, 1, 1, 1)
    return output, torch.full_like(output, x)


@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_log_prob_and_gradient_are_exact_in_float32(x):
    output, pixels = images(LOGITS, x)
    output.requires_grad_()
    log_prob = ContinuousBernoulli()(output).log_prob(pixels)
    (slope,) = torch.autograd.grad(log_prob.sum(), output)
    for i, logit in enumerate(output.flatten().tolist()):
        log_normalizer, mean = exact(logit)
        expected = float(Decimal(logit) * Decimal(x) - log_normalizer)
        assert log_prob[i].item() == pytest.approx(expected, rel=2e-7, abs=3e-7)
        assert slope[i].item() == pytest.approx(x - float(mean), rel=0, abs=5e-7)


def test_mean_is_exact_in_float32():
    output, _ = images(LOGITS, 0)
    mean = ContinuousBernoulli()(output).mean
    expected = torch.tensor([float(exact(logit)[1]) for logit in output.flatten().tolist()]).view_as(mean)
    torch.testing.assert_close(mean, expected, rtol=5e-7, atol=0)


def test_density_is_uniform_and_gradients_are_correct_at_logit_0():
    output, pixels = images([0.0], 0.2)
    output.requires_grad_()
    px = ContinuousBernoulli()(output)
    assert px.log_prob(pixels).item() == 0
    assert px.mean.item() == 0.5
    assert torch.autograd.grad(px.log_prob(pixels), output)[0].item() == pytest.approx(0.2 - 0.5)
    assert torch.autograd.grad(px.mean, output)[0].item() == pytest.approx(1 / 12)


def test_mean_has_a_finite_gradient_at_all_logits():
    output, _ = images(LOGITS, 0)
    output.requires_grad_()
    (variance,) = torch.autograd.grad(
        ContinuousBernoulli()(output).mean.sum(), output
    )  # the derivative of the mean is the variance
    assert ((variance > 0) & (variance <= 1 / 12 + 1e-6)).all()


def test_equals_torch_at_moderate_logits():
    output, x = torch.linspace(-5, 5, 48).view(2, 2, 3, 4).double(), torch.linspace(0, 1, 48).view(2, 2, 3, 4).double()
    expected = TorchContinuousBernoulli(logits=output)
    px = ContinuousBernoulli()(output)
    torch.testing.assert_close(px.log_prob(x), expected.log_prob(x).sum((1, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(px.mean, expected.mean, rtol=1e-5, atol=0)  # the error is torch's, near λ = 1/2


@pytest.mark.parametrize("logit", [-1000.0, -100.0, -3.0, 0.0, 0.2, 100.0, 1000.0])
def test_density_integrates_to_1_and_has_the_mean(logit):
    x = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    px = ContinuousBernoulli()(torch.full_like(x, logit).view(-1, 1, 1, 1))
    density = px.log_prob(x.view(-1, 1, 1, 1)).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-5)
    assert torch.trapezoid(x * density, x).item() == pytest.approx(px.mean[0].item(), abs=1e-5)


def test_quantiles_near_the_uniform_distribution():
    """F(F⁻¹(u)) = u, with F(x) = (exp(tx) - 1) / (exp(t) - 1)."""
    t = torch.tensor([0.05, -0.05, 0.0005, 3.0]).double()
    u = torch.full((4,), 0.5).double()
    x = exponential_quantile(u, t)
    torch.testing.assert_close(torch.expm1(t * x) / torch.expm1(t), u, atol=2e-4, rtol=0)
