"""Tests of posteriors against torch.distributions."""

import torch
from torch.distributions import Normal

from vae_lightning.distributions import DeltaPosterior, DiagonalGaussian, GaussianPosterior

MU = torch.tensor([[0.5, -2.0], [3.0, 0.0]])
LOGVAR = torch.tensor([[-1.0, 0.7], [2.0, -6.0]])
Z = torch.tensor([[0.1, 0.2], [-1.0, 0.03]])


def test_log_prob_equals_torch():
    expected = Normal(MU, torch.exp(LOGVAR / 2)).log_prob(Z).sum(1)
    torch.testing.assert_close(DiagonalGaussian(MU, LOGVAR).log_prob(Z), expected)


def test_samples_have_the_given_mean_and_variance():
    torch.manual_seed(0)
    n = 200_000
    z = DiagonalGaussian(MU[:1].expand(n, 2), LOGVAR[:1].expand(n, 2)).rsample()
    sigma = torch.exp(LOGVAR[0] / 2)
    assert ((z.mean(0) - MU[0]).abs() < 5 * sigma / n**0.5).all()
    assert ((z.var(0) / sigma**2 - 1).abs() < 5 * (2 / n) ** 0.5).all()


def test_samples_are_reparametrized():
    """dz/dmu = 1 and dz/dσ = ε. vae-cvae-mnist, Eqs. 25 and 26."""
    mu, sigma = MU.clone().requires_grad_(), torch.exp(LOGVAR / 2).requires_grad_()
    z = DiagonalGaussian(mu, 2 * sigma.log()).rsample()
    d_mu, d_sigma = torch.autograd.grad(z.sum(), (mu, sigma))
    torch.testing.assert_close(d_mu, torch.ones_like(MU))
    torch.testing.assert_close(d_sigma, ((z - mu) / sigma).detach())


def test_gaussian_posterior_is_two_linear_layers():
    """1,002 parameters each for 500 features and 2 latents. kingma-welling-replication, appendix A.1."""
    posterior = GaussianPosterior(500, 2)
    assert [sum(p.numel() for p in layer.parameters()) for layer in (posterior.mu, posterior.logvar)] == [1002, 1002]


def test_sample_of_a_delta_posterior_is_its_mean():
    q = DeltaPosterior(5, 2, "Tanh")(10 * torch.randn(4, 5))
    assert torch.equal(q.rsample(), q.mean)
    assert q.mean.abs().max() <= 1


def test_posteriors_are_in_single_precision_under_autocast():
    for module in (GaussianPosterior(4, 2), DeltaPosterior(4, 2, "Tanh")):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            q = module(torch.randn(3, 4))
        assert all(t.dtype == torch.float32 for t in q)
        assert module.double()(torch.randn(3, 4).double()).mean.dtype == torch.float64


def test_logvar_bounds_change_nothing_inside_them():
    torch.manual_seed(0)
    posterior, features = GaussianPosterior(5, 3), 10 * torch.randn(100, 5)
    logvar = posterior(features).logvar
    unbounded = posterior.logvar(features)
    assert unbounded.abs().max() > 5
    assert torch.equal(logvar, unbounded)
    weight = torch.randn(100, 3)
    assert torch.equal(
        *(
            torch.autograd.grad((weight * value.exp()).sum(), posterior.logvar.weight)[0]
            for value in (logvar, unbounded)
        )
    )


def test_extreme_variance_stays_finite():
    posterior = GaussianPosterior(1, 1)
    with torch.no_grad():
        posterior.logvar.weight.fill_(1.0)
        posterior.logvar.bias.zero_()
    q = posterior(torch.tensor([[1e30], [-1e30], [20.0], [-30.0]]))
    assert q.logvar.flatten().tolist() == [20, -30, 20, -30]
    z = q.rsample()
    assert z.isfinite().all()
    assert q.log_prob(z).isfinite().all()
