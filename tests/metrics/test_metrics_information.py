"""Information terms against torch's mixture distribution, and of Gaussians whose information is known."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_lightning.metrics import active_units, information


def posteriors(n: int, d: int) -> tuple[torch.Tensor, ...]:
    """Return random means, log-variances and draws, (n, d) each."""
    generator = torch.Generator().manual_seed(0)
    mu, logvar, noise = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(3))
    return mu, logvar - 1, mu + torch.exp(0.5 * logvar - 0.5) * noise


def test_information_terms_equal_those_of_torchs_mixture():
    mu, logvar, z = posteriors(60, 3)
    scale, same = torch.exp(0.5 * logvar), Categorical(torch.ones(60, dtype=torch.float64))
    log_qz = MixtureSameFamily(same, Independent(Normal(mu, scale), 1)).log_prob(z)
    marginals = [MixtureSameFamily(same, Normal(mu[:, d], scale[:, d])).log_prob(z[:, d]) for d in range(3)]
    found = information(mu, logvar, z)
    torch.testing.assert_close(found.mutual_information, Normal(mu, scale).log_prob(z).sum(1) - log_qz)
    torch.testing.assert_close(found.total_correlation, log_qz - sum(marginals))
    torch.testing.assert_close(found.log_marginals, torch.stack(marginals, dim=1))


@pytest.mark.parametrize("chunk", [1, 7, 60, 1000])
def test_information_does_not_depend_on_chunk(chunk):
    mu, logvar, z = posteriors(60, 3)
    for one, other in zip(information(mu, logvar, z, chunk=chunk), information(mu, logvar, z), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_information_sums_float32_in_float64():
    mu, logvar, z = posteriors(500, 3)
    single = information(mu.float(), logvar.float(), z.float())
    assert single.total_correlation.dtype == torch.float64
    torch.testing.assert_close(
        single.total_correlation, information(mu, logvar, z).total_correlation, atol=1e-4, rtol=0
    )


def test_information_of_gaussian_with_known_covariance():
    """Means with covariance S and posteriors with variance σ²: TC = -½ log(1 - ρ²), I = ½ log |S/σ² + I|."""
    sigma, rho = 0.3, 0.8
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 5000, 2, generator=generator, dtype=torch.float64)
    mu = noise[0] @ torch.linalg.cholesky(covariance - sigma**2 * torch.eye(2)).T
    found = information(mu, torch.full_like(mu, 2 * math.log(sigma)), mu + sigma * noise[1])
    assert found.total_correlation.mean() == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.03)
    assert found.mutual_information.mean() == pytest.approx(0.5 * torch.logdet(covariance / sigma**2).item(), abs=0.03)
    dimension_wise = (found.log_marginals - Normal(0.0, 1.0).log_prob(mu + sigma * noise[1])).sum(1).mean()
    assert dimension_wise == pytest.approx(0.0, abs=0.02)


def test_information_of_distant_posteriors_is_log_n():
    mu = torch.arange(10.0)[:, None].expand(10, 2) * 1000
    found = information(mu, torch.zeros_like(mu), mu)
    torch.testing.assert_close(found.mutual_information, torch.full((10,), math.log(10)).double())
    torch.testing.assert_close(found.total_correlation, torch.full((10,), math.log(10)).double())


def test_information_of_identical_posteriors_is_0():
    z = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    found = information(torch.zeros(20, 3), torch.zeros(20, 3), z)
    assert found.mutual_information.abs().max() < 1e-5
    assert found.total_correlation.abs().max() < 1e-5


def test_active_units_have_a_variance_above_the_threshold():
    signs = torch.tensor([-1.0, 1.0]).repeat(50)[:, None]
    assert active_units(signs * torch.tensor([1.0, 0.11, 0.09, 0.0])) == 2
