"""Tests of mutual information, total correlation and dimension-wise KL against the exact aggregate posterior."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal

from vae_lightning.distributions import Bernoulli, DiagonalGaussian, ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.regularizers import TotalCorrelation, decompose
from vae_lightning.regularizers.total_correlation import log_weights

PRIOR = DiagonalGaussian(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))


def posteriors(n: int, d: int, sigma: float) -> DiagonalGaussian:
    """Return the posteriors of n images, with correlated means."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.eye(d, dtype=torch.float64) + 0.2 * torch.randn(d, d, generator=generator, dtype=torch.float64)
    mu = torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing
    mu = mu / mu.std(0)
    return DiagonalGaussian(mu, torch.full_like(mu, 2 * math.log(sigma)))


def exact_terms(q: DiagonalGaussian, z: torch.Tensor, indices: torch.Tensor) -> tuple[float, float, float]:
    """Compute the three terms for samples z (B, D) of the posteriors `indices`, with q(z) summed over all images."""
    n = len(q.mu)
    sigma = torch.exp(0.5 * q.logvar)
    log_joint, log_marginals = [], []
    for chunk in z.split(100):
        log_q = Normal(q.mu, sigma).log_prob(chunk[:, None])  # (b, N, D)
        log_joint.append(log_q.sum(2).logsumexp(1) - math.log(n))
        log_marginals.append((log_q.logsumexp(1) - math.log(n)).sum(1))
    log_qz, log_product = torch.cat(log_joint), torch.cat(log_marginals)
    log_qz_given_x = Normal(q.mu[indices], sigma[indices]).log_prob(z).sum(1)
    log_pz = Normal(0.0, 1.0).log_prob(z).sum(1)
    means = [t.mean().item() for t in (log_qz_given_x - log_qz, log_qz - log_product, log_product - log_pz)]
    return means[0], means[1], means[2]


def test_exact_terms_equal_torch_mixture():
    q = posteriors(50, 2, 0.4)
    z, indices = q.rsample(), torch.arange(50)
    joint = MixtureSameFamily(
        Categorical(torch.ones(50, dtype=torch.float64)),
        torch.distributions.Independent(Normal(q.mu, torch.exp(0.5 * q.logvar)), 1),
    )
    information = (q.log_prob(z) - joint.log_prob(z)).mean().item()
    assert exact_terms(q, z, indices)[0] == pytest.approx(information)


def test_batch_of_all_images_has_the_exact_terms():
    torch.manual_seed(0)
    q = posteriors(200, 3, 0.3)
    z = q.rsample()
    parts = decompose(q, PRIOR, z, n=200, estimator="stratified")
    assert [p.item() for p in parts] == pytest.approx(exact_terms(q, z, torch.arange(200)), rel=1e-10)


def test_stratified_estimate_is_close_and_weighted_is_biased():
    """D = 10, N = 10,000, σ = 0.4, B = 256, mean over 50 batches."""
    torch.manual_seed(0)
    q = posteriors(10_000, 10, 0.4)
    indices = torch.randint(10_000, (2000,))
    z = DiagonalGaussian(q.mu[indices], q.logvar[indices]).rsample()
    information, tc, dwkl = exact_terms(q, z, indices)

    def estimate(estimator: str) -> torch.Tensor:
        batches = [torch.randperm(10_000)[:256] for _ in range(50)]
        qs = [DiagonalGaussian(q.mu[b], q.logvar[b]) for b in batches]
        return torch.tensor([decompose(q_b, PRIOR, q_b.rsample(), 10_000, estimator) for q_b in qs]).mean(0)

    stratified, weighted = estimate("stratified"), estimate("weighted")
    assert abs(stratified[1] - tc) < 0.5
    assert abs(stratified[0] - information) < 1.0
    assert abs(stratified[2] - dwkl) < 0.5
    assert weighted[1] > tc + 50  # the constant is (D - 1) log N


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_terms_sum_to_the_sampled_kl(estimator, batch_size):
    torch.manual_seed(0)
    q = DiagonalGaussian(torch.randn(batch_size, 4).double(), torch.randn(batch_size, 4).double())
    z = q.rsample()
    sampled = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z).sum(1)).mean()
    parts = decompose(q, PRIOR, z, n=1000, estimator=estimator)
    torch.testing.assert_close(sum(parts), sampled)


def test_stratified_weights_are_unbiased():
    """The mean estimate of q(z_i) over all batches with image i is q(z_i), for N = 5 and B = 3."""
    n, b = 5, 3
    weights = log_weights(b, n, "stratified", like=torch.empty(0, dtype=torch.float64)).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(b).double())
    densities = torch.rand(n).double()
    batches = [(0, j, k) for j in range(1, n) for k in range(1, n) if j != k]
    estimates = torch.stack([(weights[0] * densities[list(batch)]).sum() for batch in batches])
    torch.testing.assert_close(estimates.mean(), densities.mean())
    torch.testing.assert_close(weights.diagonal(), torch.full((b,), 1 / n).double())


def test_batch_of_one_is_finite_and_has_no_total_correlation():
    q = DiagonalGaussian(torch.ones(1, 3), torch.zeros(1, 3))
    parts = decompose(q, PRIOR, q.rsample(), n=1000, estimator="stratified")
    assert parts.mutual_information.item() == pytest.approx(0, abs=1e-6)
    assert parts.total_correlation.abs() < 1e-6


def forward_pass(q: DiagonalGaussian) -> ForwardPass:
    x = torch.zeros(len(q.mu), 1, 1, 1)
    return ForwardPass(x, None, q, DiagonalGaussian(torch.zeros(1, 3), torch.zeros(1, 3)), q.rsample(), Bernoulli()(x))


def test_terms_are_weighted():
    torch.manual_seed(0)
    out = forward_pass(DiagonalGaussian(torch.randn(8, 3), torch.randn(8, 3)))
    regularizer = TotalCorrelation(alpha=2.0, beta=3.0, gamma=5.0, estimator="stratified")
    regularizer.dataset_size = 100
    penalty, terms = regularizer(out)
    mi, tc, dwkl = decompose(out.qz, out.pz, out.z, 100, "stratified")
    torch.testing.assert_close(penalty, 2 * mi + 3 * tc + 5 * dwkl)
    torch.testing.assert_close(terms["total_correlation"], tc)


def test_missing_dataset_size_or_unknown_estimator_raises():
    out = forward_pass(DiagonalGaussian(torch.randn(8, 3), torch.randn(8, 3)))
    regularizer = TotalCorrelation(alpha=1.0, beta=1.0, gamma=1.0, estimator="weighted")
    with pytest.raises(UserError, match="requires the number of training images"):
        regularizer(out)
    with pytest.raises(UserError, match=r"model.estimator=exact: not a valid choice. Choose one of stratified,"):
        TotalCorrelation(alpha=1.0, beta=1.0, gamma=1.0, estimator="exact")


def test_weights_of_1_are_not_logged_except_beta():
    assert TotalCorrelation(beta=6.0).effective_weights(0.5) == {"beta": 3.0}
    assert TotalCorrelation(beta=1.0, alpha=0.0).effective_weights(0.5) == {"beta": 0.5, "alpha": 0.0}
