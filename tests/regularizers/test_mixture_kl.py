"""Tests of the KL to a mixture with a latent component, against sums and Monte Carlo."""

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vae_lightning.distributions import DiagonalGaussian, ForwardPass, StandardGaussian
from vae_lightning.priors.mixture import FullMixture
from vae_lightning.regularizers import KL, MixtureKL, log_cluster_probs

D, K, B = 3, 4, 5


@pytest.fixture
def mixture() -> FullMixture:
    torch.manual_seed(0)
    tril = (0.5 * torch.randn(K, D, D).double()).tril(-1) + torch.diag_embed(0.5 + torch.rand(K, D).double())
    return FullMixture(torch.randn(K).double().log_softmax(0), torch.randn(K, D).double(), tril)


@pytest.fixture
def q() -> DiagonalGaussian:
    torch.manual_seed(1)
    return DiagonalGaussian(torch.randn(B, D).double(), torch.randn(B, D).double() - 1)


def run(q: DiagonalGaussian, pz: object) -> ForwardPass:
    return ForwardPass(None, None, q, pz, q.rsample(), None)


def test_component_kl_equals_that_of_torch(q, mixture):
    posterior = MultivariateNormal(q.mu[:, None], scale_tril=torch.diag_embed((q.logvar / 2).exp())[:, None])
    expected = kl_divergence(posterior, MultivariateNormal(mixture.mu, scale_tril=mixture.tril))
    torch.testing.assert_close(mixture.component_kl(q), expected)


def test_rate_is_the_expectation_of_log_q_minus_log_p_over_z_and_c(q, mixture):
    """Monte Carlo over z, a sum over c, with the densities of torch.distributions."""
    log_q_c = log_cluster_probs(q, mixture)  # (B, K)
    posterior = Independent(Normal(q.mu, (q.logvar / 2).exp()), 1)
    z = posterior.sample((40_000,))  # (S, B, D)
    log_p_z = MultivariateNormal(mixture.mu, scale_tril=mixture.tril).log_prob(z[:, :, None])  # (S, B, K)
    log_ratio = posterior.log_prob(z)[..., None] + log_q_c - log_p_z - mixture.log_weights
    values = (log_q_c.exp() * log_ratio).sum(2).mean(1)
    rate, terms = MixtureKL()(run(q, mixture))
    assert rate.item() == pytest.approx(values.mean().item(), abs=4 * values.std().item() / 200)
    assert terms["rate"] == rate


def test_rate_is_minimal_over_q_of_c_and_splits_into_both_terms(q, mixture):
    rate, terms = MixtureKL()(run(q, mixture))
    divergence = mixture.component_kl(q)
    closed = -torch.logsumexp(mixture.log_weights - divergence, dim=1).mean()
    torch.testing.assert_close(rate, closed)
    probs = log_cluster_probs(q, mixture).exp()
    torch.testing.assert_close(rate, (probs * divergence).sum(1).mean() + terms["cluster_rate"])
    for seed in range(20):
        other = torch.randn(B, K, generator=torch.Generator().manual_seed(seed)).double().softmax(1)
        assert (other * (divergence + other.log() - mixture.log_weights)).sum(1).mean() > rate


def test_rate_is_at_least_the_kl_to_the_mixture_and_equal_for_one_component(q, mixture):
    z = q.mu + (q.logvar / 2).exp() * torch.randn(20_000, B, D, generator=torch.Generator().manual_seed(2)).double()
    log_ratio = q.log_prob(z) - mixture.log_prob(z.flatten(0, 1)).view(-1, B)
    exact = log_ratio.mean().item()
    assert MixtureKL()(run(q, mixture))[0].item() > exact + 0.01
    one = FullMixture(torch.zeros(1).double(), torch.zeros(1, D).double(), torch.eye(D).double()[None])
    normal = StandardGaussian(torch.zeros(1, D).double(), torch.zeros(1, D).double())
    rate, terms = MixtureKL()(run(q, one))
    torch.testing.assert_close(rate, KL(beta=1.0)(run(q, normal))[0])
    assert terms["cluster_rate"] == 0
