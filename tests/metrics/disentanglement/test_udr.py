"""UDR of codes with known rank correlations."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from vae_lightning.errors import UserError
from vae_lightning.metrics import udr
from vae_lightning.metrics.disentanglement.udr import normalized_ranks, rank_correlations


def test_udr_is_1_for_codes_that_are_equal_up_to_permutation_and_sign(perfect, rotated, noise):
    alike = perfect[:, [2, 0, 1]] * [1, -1, 1] + 5
    assert udr([perfect, alike]) == pytest.approx([1, 1])
    assert udr([perfect, np.exp(perfect)]) == pytest.approx([1, 1])  # the same ranks
    assert (udr([perfect, rotated]) < 0.8).all()
    assert (udr([perfect, noise]) < 0.1).all()
    assert udr([perfect, alike, perfect, noise])[:3] == pytest.approx([1, 1, 1])  # the median


def test_udr_ignores_uninformative_latents(perfect, noise):
    both = np.concatenate([perfect, noise], axis=1)
    kl = np.array([1, 1, 1, 0.001, 0, 0.01])
    assert udr([both, perfect], [kl, np.ones(3)]) == pytest.approx([1, 1])
    assert (udr([both, perfect]) < 0.8).all()
    assert udr([0 * perfect, perfect]) == pytest.approx([0, 0])


def test_udr_of_two_latents_against_one():
    """Columns 0.8 and 0.6 against one latent: (0.8² / 1.4) for the column, 0.8 and 0.6 for the two rows."""
    a = np.array([[-3, 1, -1, 3], [-1, 3, -3, 1]]).T  # ranks 1 3 2 4 and 2 4 1 3
    b = np.array([[1, 2, 3, 4]]).T
    r = [abs(np.corrcoef(column, b[:, 0])[0, 1]) for column in ([1, 3, 2, 4], [2, 4, 1, 3])]
    assert udr([a, b]) == pytest.approx([(max(r) ** 2 / sum(r) + sum(r)) / 3] * 2)


def mean_ranks(latent: np.ndarray) -> np.ndarray:
    """Return the ranks of a latent with ties averaged, without scipy."""
    _, place, counts = np.unique(latent, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


@pytest.mark.parametrize("values", [2, 20, None], ids=["many ties", "ties", "no ties"])
def test_normalized_ranks_average_ties(values):
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((500, 4)) if values is None else rng.integers(values, size=(500, 4)).astype(float)
    ranks = np.stack([mean_ranks(latent) for latent in codes.T], axis=1)
    ranks -= ranks.mean(0)
    np.testing.assert_allclose(normalized_ranks(codes), ranks / np.linalg.norm(ranks, axis=0), rtol=0, atol=1e-12)


def test_rank_correlations_equal_scipy(perfect, noise):
    found = rank_correlations(normalized_ranks(perfect), normalized_ranks(noise))
    expected = [[abs(spearmanr(a, b).statistic) for b in noise.T] for a in perfect.T]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_udr_rejects_a_single_code_and_different_images(perfect):
    with pytest.raises(UserError, match="at least two"):
        udr([perfect])
    with pytest.raises(UserError, match="the same images"):
        udr([perfect, perfect[:5]])


@pytest.mark.parametrize("kl", [[np.ones(3), np.ones(2)], [np.ones(3)]], ids=["latents", "models"])
def test_udr_rejects_rates_of_other_latents_or_models(kl, perfect):
    with pytest.raises(
        UserError, match=r"kl must have one value per latent of each model, of shapes \[\(3,\), \(3,\)\], got"
    ):
        udr([perfect, perfect], kl)
