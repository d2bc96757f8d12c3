"""Tests of gamma distributions against SciPy's quantiles, PyTorch's densities and closed forms."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from vae_lightning.models import IWAE, VAE
from vae_lightning.posteriors import Gamma, GammaDistribution
from vae_lightning.posteriors.gamma import MIN_DRAW
from vae_lightning.priors import GammaPrior

CONCENTRATIONS = np.array([0.05, 0.1, 0.3, 1.0, 2.0, 8.0, 30.0, 1e3, 1e4])
NOISE = np.linspace(-5, 5, 101)


def quantiles(concentration, rate=1.0):
    """Return SciPy's quantiles at Φ(NOISE), by the smaller tail."""
    g = stats.gamma(concentration, scale=1 / rate)
    return np.where(NOISE < 0, g.ppf(stats.norm.cdf(NOISE)), g.isf(stats.norm.sf(NOISE)))


def distributions(*columns, dtype=torch.float64):
    """Return distributions that require gradients, whose concentrations and rates have these values."""
    return GammaDistribution(*(torch.tensor(column, dtype=dtype).requires_grad_() for column in columns))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 1e-6)])
def test_draws_are_quantiles(dtype, tolerance):
    concentration = torch.tensor(CONCENTRATIONS, dtype=dtype)[:, None].expand(-1, len(NOISE))
    q = GammaDistribution(concentration, torch.full_like(concentration, 3.0))
    z = q.rsample(torch.tensor(NOISE).expand_as(concentration))
    expected = quantiles(concentration.double().numpy(), 3.0).clip(min=MIN_DRAW)
    assert z.dtype == dtype
    np.testing.assert_allclose(z.numpy(), expected, rtol=tolerance)


def test_gradients_of_draws_equal_differences_of_quantiles():
    """PyTorch's derivative with respect to α has three to five digits."""
    alpha, h = CONCENTRATIONS[1:, None], 1e-4 * CONCENTRATIONS[1:, None]
    q = distributions(np.broadcast_to(alpha, (8, len(NOISE))), np.full((8, len(NOISE)), 3.0))
    z = q.rsample(torch.tensor(NOISE).expand(8, -1))
    of_alpha, of_beta = torch.autograd.grad(z.sum(), q)
    expected = (quantiles(alpha + h, 3.0) - quantiles(alpha - h, 3.0)) / (2 * h)
    is_clamped = z.detach().numpy() == MIN_DRAW
    np.testing.assert_allclose(of_alpha[~is_clamped], expected[~is_clamped], rtol=3e-3)
    np.testing.assert_allclose(of_beta[~is_clamped], -z.detach()[~is_clamped] / 3, rtol=1e-12)
    assert (of_alpha[is_clamped] == 0).all()


@pytest.mark.parametrize("concentration", [0.5, 2.0, 40.0])
def test_gradients_of_expectations_equal_closed_forms(concentration):
    """E[z] = α/β and E[log z] = ψ(α) - log β, as means over equally likely quantiles."""
    n = 20_000
    noise = torch.special.ndtri((torch.arange(n).double() + 0.5) / n)[:, None]
    q = distributions([[concentration]], [[3.0]])
    z = q.repeat(n).rsample(noise)
    for values, value, of_alpha, of_beta in [
        (z, concentration / 3, 1 / 3, -concentration / 9),
        (z.log(), special.digamma(concentration) - np.log(3), special.polygamma(1, concentration).item(), -1 / 3),
    ]:
        mean = values.mean()
        assert mean.item() == pytest.approx(value, rel=1e-3)
        gradient = torch.autograd.grad(mean, q, retain_graph=True)
        assert [g.item() for g in gradient] == pytest.approx([of_alpha, of_beta], rel=2e-3)


def test_density_mean_and_kl_equal_those_of_pytorch():
    q = distributions([[0.1, 2.0, 300.0], [1.0, 5.0, 1e4]], [[2.0, 0.5, 100.0], [0.01, 1.0, 3.0]])
    p = GammaDistribution(torch.full((1, 3), 2.0).double(), torch.full((1, 3), 1.5).double())
    q_torch, p_torch = (torch.distributions.Gamma(*d, validate_args=False) for d in (q, p))
    z = q.rsample()
    torch.testing.assert_close(q.mean, q_torch.mean)
    torch.testing.assert_close(q.log_prob(z), q_torch.log_prob(z).sum(1))
    kl = torch.distributions.kl_divergence(q_torch, p_torch).sum(1)
    torch.testing.assert_close(q.kl(p), kl)
    gradients, expected = (torch.autograd.grad(x.sum(), q, retain_graph=True) for x in (q.kl(p), kl))
    torch.testing.assert_close(gradients, expected)
    single = GammaDistribution(*(t.float() for t in q))
    torch.testing.assert_close(single.log_prob(z.float()), q.log_prob(z).float())
    torch.testing.assert_close(single.kl(GammaDistribution(*(t.float() for t in p))), kl.float())
    assert q.kl(None) is None


def test_samples_have_the_moments_of_the_prior():
    """The mean is α/β and the variance α/β². The fourth central moment is 3α(α + 2)/β⁴."""
    n, alpha, beta = 20_000, 3.0, 2.0
    prior = GammaPrior(concentration=alpha, rate=beta, latent_dim=5)(None, None)
    z = prior.sample(n, torch.Generator().manual_seed(0))
    assert z.shape == (n, 5)
    assert z.mean(0).tolist() == pytest.approx([alpha / beta] * 5, abs=5 * (alpha / n) ** 0.5 / beta)
    error = ((3 * alpha * (alpha + 2) - alpha**2) / n) ** 0.5 / beta**2
    assert z.var(0).tolist() == pytest.approx([alpha / beta**2] * 5, abs=5 * error)


@pytest.mark.parametrize("value", [-1e6, -20.0, 20.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outliers_have_a_finite_loss_and_finite_gradients(value, dtype):
    posterior = Gamma(2, 3).to(dtype)
    q = posterior(torch.tensor([[value, 0.0], [0.0, value], [value, value]], dtype=dtype))
    p = GammaPrior(latent_dim=3)(None, None)
    z = q.rsample(torch.tensor([-9.0, 0.0, 9.0]).expand(3, 3))
    assert z.dtype == torch.float32
    assert (z > 0).all()
    loss = z.sum() + q.kl(p).sum() + q.log_prob(z).sum() - p.log_prob(z).sum()
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in posterior.parameters())


@pytest.mark.parametrize("cls", [VAE, IWAE])
def test_loss_decreases(cls, parts, images):
    torch.manual_seed(0)
    model = cls(**parts, posterior=Gamma, prior=GammaPrior)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = model.objective(model(images))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 1


def test_latents_may_form_a_map():
    q = Gamma(4, (2, 3, 3))(torch.randn(5, 4, 3, 3))
    assert q.rsample().shape == (5, 18)
