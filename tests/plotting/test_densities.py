"""The aggregate posterior of each latent, and the information of latents about factors."""

import numpy as np
import pytest
import torch
from readable import assert_readable
from scipy.stats import norm

from vae_lightning import plotting
from vae_lightning.plotting.densities import aggregate_density
from vae_lightning.plotting.style import latent_name

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def test_aggregate_density_is_the_mean_of_the_posteriors_densities():
    mu, sigma = np.array([[0.0, 2.0], [1.0, -3.0]]), np.array([[1.0, 0.5], [0.1, 2.0]])
    z = np.linspace(-2, 2, 5)
    expected = norm.pdf(z[:, None, None], mu, sigma).mean(1)
    density = aggregate_density(torch.tensor(z), torch.tensor(mu), 2 * torch.tensor(sigma).log())
    np.testing.assert_allclose(density, expected)


@pytest.mark.parametrize("d", [1, 2, 12])
@pytest.mark.parametrize("is_deterministic", [False, True])
def test_aggregate_posterior_has_one_panel_per_latent(d, is_deterministic):
    mu = torch.randn(50, d, generator=torch.Generator().manual_seed(0))
    figure = plotting.aggregate_posterior(mu, None if is_deterministic else mu - 2, list(range(d))[::-1], TITLE)
    assert [axes.get_title() for axes in figure.axes] == [latent_name(k) for k in reversed(range(d))]
    for axes in figure.axes:
        z, prior = axes.lines[0].get_data()
        np.testing.assert_allclose(prior, np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
    assert_readable(figure)


def test_aggregate_posterior_reaches_to_all_codes():
    figure = plotting.aggregate_posterior(torch.tensor([[9.0], [0.0]]), torch.zeros(2, 1), [0], TITLE)
    assert figure.axes[0].lines[0].get_xdata()[[0, -1]].tolist() == [-12, 12]


@pytest.mark.parametrize(("latents", "factors"), [(3, 2), (32, 7), (10, 40)])
def test_factor_information_writes_the_values_in_few_cells(latents, factors):
    values = np.linspace(0, 1, latents * factors).reshape(latents, factors)
    figure = plotting.factor_information(values, [f"factor {k}" for k in range(factors)], TITLE)
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), values)
    assert len(axes.texts) == (6 if (latents, factors) == (3, 2) else 0)
    if axes.texts:
        assert [text.get_text() for text in axes.texts] == ["0.00", "0.20", "0.40", "0.60", "0.80", "1.00"]
        assert_readable(figure)
