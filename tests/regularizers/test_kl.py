"""Tests of the KL in closed form and its gradients. vae-cvae-mnist, Eqs. 17, 22 and 23."""

import torch
from torch.distributions import Normal, kl_divergence

from vae_lightning.distributions import Bernoulli, DiagonalGaussian, ForwardPass, GaussianMixture, StandardGaussian
from vae_lightning.regularizers import KL, GroupedKL, NoPenalty, gaussian_kl, kl

MU = torch.tensor([[0.0, 0.5, -3.0], [2.0, -0.1, 0.0]], dtype=torch.float64)
SIGMA = torch.tensor([[1.0, 0.2, 2.0], [0.01, 5.0, 1.5]], dtype=torch.float64)
PRIOR = DiagonalGaussian(torch.zeros(1, 3, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64))


def forward_pass(prior=PRIOR) -> ForwardPass:
    q = DiagonalGaussian(MU, 2 * SIGMA.log())
    x = torch.zeros(2, 1, 1, 1)
    return ForwardPass(x, None, q, prior, q.rsample(), Bernoulli()(x))


def test_gaussian_kl_equals_torch():
    expected = kl_divergence(Normal(MU, SIGMA), Normal(torch.zeros_like(MU), 1.0))
    torch.testing.assert_close(gaussian_kl(MU, 2 * SIGMA.log()), expected)


def test_gaussian_kl_is_0_at_the_prior_and_half_the_square_of_a_shift():
    assert gaussian_kl(torch.zeros(1), torch.zeros(1)).item() == 0
    assert gaussian_kl(torch.tensor(3.0), torch.tensor(0.0)).item() == 4.5


def test_gradients_are_mu_and_sigma_minus_its_inverse():
    mu, sigma = MU.clone().requires_grad_(), SIGMA.clone().requires_grad_()
    d_mu, d_sigma = torch.autograd.grad(gaussian_kl(mu, 2 * sigma.log()).sum(), (mu, sigma))
    torch.testing.assert_close(d_mu, MU)
    torch.testing.assert_close(d_sigma, SIGMA - 1 / SIGMA)


def test_gaussian_kl_is_the_mean_of_log_q_minus_log_p():
    torch.manual_seed(0)
    n = 100_000
    q = DiagonalGaussian(MU[1:].expand(n, 3), 2 * SIGMA[1:].log().expand(n, 3))
    z = q.rsample()
    difference = q.log_prob(z) - PRIOR.log_prob(z)
    error = difference.mean() - gaussian_kl(MU[1], 2 * SIGMA[1].log()).sum()
    assert error.abs() < 5 * difference.std() / n**0.5


def test_penalty_is_beta_times_the_sum_over_latents_and_mean_over_images():
    penalty, terms = KL(beta=4.0)(forward_pass())
    rate = kl_divergence(Normal(MU, SIGMA), Normal(torch.zeros_like(MU), 1.0)).sum() / 2
    torch.testing.assert_close(terms["rate"], rate)
    torch.testing.assert_close(penalty, 4 * rate)


def test_no_penalty_has_no_rate():
    penalty, terms = NoPenalty()(forward_pass())
    assert penalty.item() == 0
    assert terms == {}


def test_kl_to_a_gaussian_prior_equals_torch():
    mu, sigma = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.0, 3.0]]).double(), torch.tensor([[0.3, 2.0, 1.0]] * 2).double()
    expected = kl_divergence(Normal(MU, SIGMA), Normal(mu, sigma)).sum(1)
    torch.testing.assert_close(kl(forward_pass(DiagonalGaussian(mu, 2 * sigma.log()))), expected)


def test_kl_to_the_standard_normal_is_exactly_the_general_one():
    assert torch.equal(kl(forward_pass(StandardGaussian(*PRIOR))), kl(forward_pass()))


def test_kl_to_any_other_prior_is_estimated_at_the_sample():
    """A mixture of two equal components is a Gaussian."""
    out = forward_pass(GaussianMixture(PRIOR.mu.expand(2, 3), PRIOR.logvar.expand(2, 3)))
    torch.testing.assert_close(kl(out), out.qz.log_prob(out.z) - Normal(0.0, 1.0).log_prob(out.z).sum(1))


def test_rates_of_the_groups_sum_to_the_rate():
    prior = DiagonalGaussian(MU.flip(0), torch.ones_like(MU))
    penalty, terms = GroupedKL(beta=2.0, group_sizes=[1, 1, 1])(forward_pass(prior))
    expected = kl_divergence(Normal(MU, SIGMA), Normal(MU.flip(0), torch.exp(0.5 * torch.ones_like(MU)))).mean(0)
    torch.testing.assert_close(torch.stack([terms[f"rate_group_{i}"] for i in (1, 2, 3)]), expected)
    torch.testing.assert_close(penalty, 2 * expected.sum())
