"""Dependence between latents whose covariance is known."""

from math import log, sqrt

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics import mutual_info_score

from vae_lightning.errors import UserError
from vae_lightning.metrics import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)


@pytest.fixture
def correlated() -> np.ndarray:
    """Return two latents of variance 1 (N - 1 in the denominator) and correlation 0.6."""
    z = np.random.default_rng(0).standard_normal((50, 2))
    z -= z.mean(0)
    white = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False))).T
    return white @ np.array([[1, 0.6], [0, 0.8]])


def test_scores_of_a_known_correlation(correlated):
    assert gaussian_total_correlation(correlated) == pytest.approx(-0.5 * log(1 - 0.6**2))
    distance = 4 - 2 * (sqrt(1.6) + sqrt(0.4))
    assert gaussian_wasserstein_correlation(correlated) == pytest.approx(distance)
    assert gaussian_wasserstein_correlation(correlated, normalized=True) == pytest.approx(distance / 2)
    assert gaussian_wasserstein_correlation(3 * correlated) == pytest.approx(9 * distance)
    assert gaussian_total_correlation(correlated * [3, 0.1]) == pytest.approx(-0.5 * log(1 - 0.6**2))


def test_scores_equal_the_published_formulas():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((200, 5)) @ rng.standard_normal((5, 5))
    covariance = np.cov(z, rowvar=False)
    variances = np.diag(covariance)
    total_correlation = 0.5 * (np.log(variances).sum() - np.linalg.slogdet(covariance)[1])
    assert gaussian_total_correlation(z) == pytest.approx(total_correlation)
    distance = 2 * variances.sum() - 2 * np.trace(sqrtm(covariance * variances[:, None])).real
    assert gaussian_wasserstein_correlation(z) == pytest.approx(distance)
    binned = [np.digitize(latent, np.histogram(latent, 20)[1][:-1]) for latent in z.T]
    pairs = [mutual_info_score(a, b) for i, a in enumerate(binned) for j, b in enumerate(binned) if i != j]
    assert mutual_information_score(z) == pytest.approx(np.mean(pairs))


def test_constant_and_single_latents(correlated):
    with_constant = np.concatenate([correlated, np.ones((50, 1))], axis=1)
    assert gaussian_total_correlation(with_constant) == pytest.approx(gaussian_total_correlation(correlated))
    assert gaussian_wasserstein_correlation(with_constant) == pytest.approx(
        gaussian_wasserstein_correlation(correlated)
    )
    assert mutual_information_score(with_constant) == pytest.approx(mutual_information_score(correlated) / 3)
    for z in (correlated[:, :1], 0 * correlated):
        assert gaussian_total_correlation(z) == 0
        assert gaussian_wasserstein_correlation(z, normalized=True) == 0
        assert mutual_information_score(z) == 0


@pytest.mark.parametrize("score", [gaussian_total_correlation, gaussian_wasserstein_correlation])
def test_single_image_has_no_covariance(score, correlated):
    with pytest.raises(UserError, match=r"^codes: a covariance requires at least two\. Use more images"):
        score(correlated[:1])


def test_equal_latents_have_infinite_total_correlation(correlated):
    assert gaussian_total_correlation(correlated[:, [0, 0]]) > 15
