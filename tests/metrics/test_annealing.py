"""Annealed importance sampling, compared with models whose log p(x) is known."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from vae_lightning.metrics.annealing import Annealing, sigmoid_schedule

N, D, P = 300, 3, 5
W = torch.randn(P, D, generator=torch.Generator().manual_seed(1))
SIGMA = 0.5
MARGINAL = MultivariateNormal(torch.zeros(P), W @ W.T + SIGMA**2 * torch.eye(P))


def log_prior(z):
    return Normal(0.0, 1.0, validate_args=False).log_prob(z).sum(1)


def log_likelihood_of(x):
    return lambda z: Normal(z @ W.T, SIGMA).log_prob(x).sum(1)


def draw(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def simulated():
    """Return a draw from p(z) and from p(x|z), the same for all chains."""
    z = draw(1, 0)
    x = z @ W.T + SIGMA * torch.randn(1, P, generator=torch.Generator().manual_seed(9))
    return z, x


def test_sigmoid_schedule_rises_from_0_to_1_with_small_steps_at_both_ends():
    betas = sigmoid_schedule(100)
    steps = betas.diff()
    assert betas[[0, 50, 100]].tolist() == pytest.approx([0, 0.5, 1])
    assert (steps > 0).all()
    assert steps[0].item() == pytest.approx(steps[-1].item())
    assert steps[0] < 0.1 * steps[50]


def test_both_bounds_approach_log_px_of_a_linear_model(simulated):
    """Chains that end at and start from the posterior enclose the exact value."""
    z, x = simulated
    exact = MARGINAL.log_prob(x).item()
    annealing = Annealing(log_prior, log_likelihood_of(x), steps=80)
    annealing.tune(draw(50, 1))
    lower, upper = annealing.forward_log_weights(draw(N, 2)), annealing.reverse_log_weights(z.expand(N, D))
    assert lower.mean() < exact < upper.mean()  # each chain on its own is a bound in expectation
    assert upper.mean() - lower.mean() < 1.2
    assert torch.logsumexp(lower, 0).item() - math.log(N) == pytest.approx(exact, abs=0.05)
    assert math.log(N) - torch.logsumexp(-upper, 0).item() == pytest.approx(exact, abs=0.05)


def test_more_steps_tighten_both_bounds(simulated):
    z, x = simulated
    gaps = []
    for steps in (3, 30):
        annealing = Annealing(log_prior, log_likelihood_of(x), steps=steps)
        annealing.tune(draw(50, 1))
        lower, upper = annealing.forward_log_weights(draw(N, 2)), annealing.reverse_log_weights(z.expand(N, D))
        gaps.append((upper.mean() - lower.mean()).item())
    assert 0 < gaps[1] < 0.3 * gaps[0]


def test_one_step_is_importance_sampling_from_the_prior(simulated):
    _, x = simulated
    start = draw(N, 2)
    log_w = Annealing(log_prior, log_likelihood_of(x), steps=1).forward_log_weights(start)
    torch.testing.assert_close(log_w, log_likelihood_of(x)(start).double())


def test_transition_leaves_the_distribution_invariant(simulated):
    """At β = 1, chains that start from the posterior, which is Gaussian, stay there: mean and covariance are exact."""
    _, x = simulated
    covariance = torch.linalg.inv(torch.eye(D) + W.T @ W / SIGMA**2)
    mean = covariance @ W.T @ x[0] / SIGMA**2
    n = 20_000
    z = mean + torch.randn(n, D, generator=torch.Generator().manual_seed(3)) @ torch.linalg.cholesky(covariance).T
    annealing = Annealing(log_prior, log_likelihood_of(x), steps=1)
    annealing.step_sizes = [0.3, 0.3]
    start, accepted = z, []
    for _ in range(5):
        z, accept = annealing.transition(z, 1)
        accepted.append(accept.double().mean().item())
    assert all(0.3 < rate < 0.999 for rate in accepted)
    assert ((z - mean) * (start - mean)).mean().abs() < 0.5 * covariance.diagonal().mean()  # they have moved
    error = (covariance.diagonal() / n).sqrt()
    assert ((z.mean(0) - mean).abs() < 4 * error).all()
    torch.testing.assert_close(
        torch.cov(z.T), covariance, atol=4 * 1.5 / math.sqrt(n) * covariance.max().item(), rtol=0
    )


def test_tune_reaches_the_target_acceptance(simulated):
    _, x = simulated
    annealing = Annealing(log_prior, log_likelihood_of(x), steps=100)
    annealing.tune(draw(200, 1))
    z = draw(N, 2)
    rates = []
    for t in range(1, 100):
        z, accepted = annealing.transition(z, t)
        rates.append(accepted.double().mean().item())
    assert 0.5 < sum(rates[50:]) / len(rates[50:]) < 0.8


def test_proposals_with_an_undefined_density_are_rejected():
    annealing = Annealing(log_prior, lambda z: torch.where(z[:, 0] > 0, torch.nan, 0.0) * z[:, 0], steps=1)
    annealing.step_sizes = [0.02, 0.02]  # shorter than the distance of most chains from the boundary
    z = -draw(N, 0).abs()
    moved, accepted = annealing.transition(z, 1)
    assert (moved[:, 0] <= 0).all()
    assert accepted.any()
