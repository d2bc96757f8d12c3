"""MIG of Gaussian posteriors, against integrals over a latent."""

from math import log

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from vae_lightning.errors import UserError
from vae_lightning.metrics import mig, probabilistic_mig
from vae_lightning.metrics.disentanglement.probabilistic_mig import density_information_matrix


def exact_information(means, probabilities) -> float:
    """Return I(z; v) of z ~ N(means[v], 1), by numerical integration."""

    def integrand(z: float) -> float:
        densities = norm.pdf(z, means)
        marginal = probabilities @ densities
        return float(probabilities @ (densities * np.log(densities / marginal)))

    return quad(integrand, -12, 12)[0]


def test_information_of_a_grid_equals_its_integral():
    """Factor 1 moves latent 1, the second value of factor 2 is rare and moves latent 2, and latent 3 is noise."""
    grid = np.array([[a, b] for a in range(3) for b in (0, 0, 0, 1)] * 150)
    mean = np.stack([1.5 * grid[:, 0], 2.0 * grid[:, 1], 0 * grid[:, 0]], axis=1)
    found = density_information_matrix(mean, np.zeros_like(mean), grid, seed=0)
    first = exact_information(np.array([0, 1.5, 3]), np.full(3, 1 / 3))
    second = exact_information(np.array([0, 2.0]), np.array([0.75, 0.25]))
    assert found == pytest.approx(np.array([[first, 0], [0, second], [0, 0]]), abs=0.03)
    entropy = -0.75 * log(0.75) - 0.25 * log(0.25)
    expected = (first / log(3) + second / entropy) / 2
    assert probabilistic_mig(mean, np.zeros_like(mean), grid) == pytest.approx(expected, abs=0.03)


def test_tiny_shifts_of_noise_have_no_information_unlike_in_mig():
    v = np.repeat([0, 1], 500)
    mean = np.stack([1e-3 * v, 0.0 * v], axis=1)
    assert mig(mean, v) == pytest.approx(1)
    assert probabilistic_mig(mean, np.zeros_like(mean), v) == pytest.approx(0, abs=1e-3)


def test_probabilistic_mig_of_sharp_posteriors_is_mig(factors, perfect, rotated):
    v, sharp = factors[:500], np.full((500, 3), -12.0)
    for code in (perfect[:500], rotated[:500]):
        assert probabilistic_mig(code, sharp, v) == pytest.approx(mig(code, v, bins=1000), abs=1e-3)


def test_means_and_log_variances_must_match(factors, perfect):
    with pytest.raises(UserError, match="logvar: must have the shape of the means"):
        probabilistic_mig(perfect, perfect[:, :2], factors)
