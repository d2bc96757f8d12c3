"""Estimates of log p(x) for a linear-Gaussian model, whose log p(x) is known."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from vae_lightning.metrics import bits_per_dim, log_likelihood, mean_and_error

D, N, NOISE = 3, 40, 0.7


class LinearGaussian:
    """z ~ N(0, I), x = W z + noise, with the exact posterior widened by a factor."""

    def __init__(self, width: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(0)
        self.w = torch.randn(5, D, generator=generator)
        self.x = torch.randn(N, D, generator=generator) @ self.w.T + NOISE * torch.randn(N, 5, generator=generator)
        precision = torch.eye(D) + self.w.T @ self.w / NOISE**2
        self.mean = self.x @ self.w @ torch.linalg.inv(precision) / NOISE**2  # of the exact posterior, (N, D)
        self.scale = width * torch.linalg.cholesky(torch.linalg.inv(precision))
        self.largest = 0

    def log_px(self) -> torch.Tensor:
        covariance = self.w @ self.w.T + NOISE**2 * torch.eye(5)
        return MultivariateNormal(torch.zeros(5), covariance).log_prob(self.x).double()

    def importance_log_terms(self, indices, noise):
        self.largest = max(self.largest, noise[..., 0].numel())
        q = MultivariateNormal(self.mean[indices, None], scale_tril=self.scale)
        z = self.mean[indices, None] + noise @ self.scale.T
        log_px = Normal(z @ self.w.T, NOISE).log_prob(self.x[indices, None]).sum(-1)
        return log_px, Normal(0.0, 1.0).log_prob(z).sum(-1) - q.log_prob(z)


def test_log_likelihood_is_exact_for_the_exact_posterior():
    model = LinearGaussian()
    found = log_likelihood(model.importance_log_terms, N, D, samples=3, chunk=7)
    torch.testing.assert_close(found.log_px, model.log_px(), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.distortion + found.rate, -model.log_px(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("width", [0.8, 1.3])
def test_log_likelihood_is_within_its_standard_error_for_another_posterior(width):
    model = LinearGaussian(width)
    found = log_likelihood(model.importance_log_terms, N, D, samples=5000, chunk=2000)
    error = found.log_px - model.log_px()
    assert error.mean().abs() < mean_and_error(error).error * 3  # the error due to the draws
    assert error.mean().abs() < mean_and_error(found.log_px).error / 50  # the error over images is far larger
    assert (found.distortion + found.rate + found.log_px).min() > 0  # the bound


def test_log_likelihood_increases_with_the_number_of_draws():
    model = LinearGaussian(1.5)
    means = [
        log_likelihood(model.importance_log_terms, N, D, samples=k, chunk=1000).log_px.mean() for k in (1, 10, 1000)
    ]
    assert means[0] < means[1] < means[2]
    one = log_likelihood(model.importance_log_terms, N, D, samples=1, chunk=1000)
    torch.testing.assert_close(one.log_px, -one.distortion - one.rate)


@pytest.mark.parametrize("chunk", [1, 7, 100, 10_000])
def test_chunk_bounds_the_draws_per_pass_without_changing_the_result(chunk):
    model, reference_model = LinearGaussian(1.3), LinearGaussian(1.3)
    found = log_likelihood(model.importance_log_terms, 12, D, samples=50, chunk=chunk, seed=3)
    reference = log_likelihood(reference_model.importance_log_terms, 12, D, samples=50, chunk=600, seed=3)
    for one, other in zip(found, reference, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-6)
    assert model.largest <= chunk
    assert found.log_px.dtype == torch.float64


def test_log_likelihood_is_deterministic_given_the_seed():
    model = LinearGaussian(1.3)
    first, again, other = (
        log_likelihood(model.importance_log_terms, 5, D, samples=9, chunk=20, seed=seed).log_px for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_log_likelihood_does_not_overflow():
    found = log_likelihood(lambda i, e: (e[..., 0] * 0 - 1e5, e[..., 0] * 0 + 9e4), 2, 1, samples=4, chunk=3)
    torch.testing.assert_close(found.log_px, torch.full((2,), -1e4, dtype=torch.float64))


def test_bits_per_dim_of_one_fair_coin_per_pixel_is_1():
    assert bits_per_dim(3 * 4 * 5 * math.log(2), (3, 4, 5)) == pytest.approx(1.0)
