"""Posteriors and the prior against torch.distributions."""

import torch
from torch.distributions import Normal

from vae_lightning.distributions import DeltaPosterior, DiagonalGaussian, GaussianPosterior

MU = torch.tensor([[0.5, -2.0], [3.0, 0.0]])
LOGVAR = torch.tensor([[-1.0, 0.7], [2.0, -6.0]])
Z = torch.tensor([[0.1, 0.2], [-1.0, 0.03]])


def test_log_prob_is_torchs():
    expected = Normal(MU, torch.exp(LOGVAR / 2)).log_prob(Z).sum(1)
    torch.testing.assert_close(DiagonalGaussian(MU, LOGVAR).log_prob(Z), expected)


def test_samples_have_the_mean_and_the_variance_they_should():
    torch.manual_seed(0)
    n = 200_000
    z = DiagonalGaussian(MU[:1].expand(n, 2), LOGVAR[:1].expand(n, 2)).rsample()
    sigma = torch.exp(LOGVAR[0] / 2)
    assert ((z.mean(0) - MU[0]).abs() < 5 * sigma / n**0.5).all()
    assert ((z.var(0) / sigma**2 - 1).abs() < 5 * (2 / n) ** 0.5).all()


def test_gradients_pass_through_the_sample():
    """dz/dmu = 1 and dz/dσ = ε: vae-cvae-mnist, Eqs. 25 and 26."""
    mu, sigma = MU.clone().requires_grad_(), torch.exp(LOGVAR / 2).requires_grad_()
    z = DiagonalGaussian(mu, 2 * sigma.log()).rsample()
    d_mu, d_sigma = torch.autograd.grad(z.sum(), (mu, sigma))
    torch.testing.assert_close(d_mu, torch.ones_like(MU))
    torch.testing.assert_close(d_sigma, ((z - mu) / sigma).detach())


def test_the_heads_are_two_linear_layers():
    """kingma-welling-replication, appendix A.1: 1,002 parameters each at hidden 500 and latent 2."""
    posterior = GaussianPosterior(500, 2)
    assert [sum(p.numel() for p in head.parameters()) for head in (posterior.mu, posterior.logvar)] == [1002, 1002]


def test_a_point_is_its_own_sample():
    q = DeltaPosterior(5, 2, "Tanh")(10 * torch.randn(4, 5))
    assert torch.equal(q.rsample(), q.mean)
    assert q.mean.abs().max() <= 1


def test_half_precision_features_give_single_precision_posteriors():
    for module in (GaussianPosterior(4, 2), DeltaPosterior(4, 2, "Tanh")):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            q = module(torch.randn(3, 4))
        assert all(t.dtype == torch.float32 for t in q)
        assert module.double()(torch.randn(3, 4).double()).mean.dtype == torch.float64


def test_the_bounds_of_the_variance_change_no_bit_inside_them():
    torch.manual_seed(0)
    posterior, features = GaussianPosterior(5, 3), 10 * torch.randn(100, 5)
    logvar = posterior(features).logvar
    plain = posterior.logvar(features)
    assert plain.abs().max() > 5
    assert torch.equal(logvar, plain)
    weight = torch.randn(100, 3)
    assert torch.equal(
        *(torch.autograd.grad((weight * value.exp()).sum(), posterior.logvar.weight)[0] for value in (logvar, plain))
    )


def test_a_variance_that_explodes_stays_finite():
    posterior = GaussianPosterior(1, 1)
    with torch.no_grad():
        posterior.logvar.weight.fill_(1.0)
        posterior.logvar.bias.zero_()
    q = posterior(torch.tensor([[1e30], [-1e30], [20.0], [-30.0]]))
    assert q.logvar.flatten().tolist() == [20, -30, 20, -30]
    z = q.rsample()
    assert z.isfinite().all()
    assert q.log_prob(z).isfinite().all()
