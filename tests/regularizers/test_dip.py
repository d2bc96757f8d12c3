"""Tests of the covariance penalties of DIP-VAE by hand."""

import pytest
import torch

from vae_lightning.distributions import Bernoulli, DiagonalGaussian, ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.regularizers import DIP, covariance

# Two images with mu = (1, 2) and (-1, 0), so that Cov[mu] = [[1, 1], [1, 1]], and σ² = (1, 3) and (2, 5), whose mean is
# (1.5, 4).
MU = torch.tensor([[1.0, 2.0], [-1.0, 0.0]])
VARIANCE = torch.tensor([[1.0, 3.0], [2.0, 5.0]])
Q = DiagonalGaussian(MU, VARIANCE.log())
X = torch.zeros(2, 1, 1, 1)
PRIOR = DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2))
OUT = ForwardPass(X, None, Q, PRIOR, MU, Bernoulli()(X))


def test_covariance_is_divided_by_the_number_of_images():
    torch.testing.assert_close(covariance(MU), torch.ones(2, 2))
    x = torch.randn(50, 4)
    torch.testing.assert_close(covariance(x), torch.cov(x.T, correction=0))


@pytest.mark.parametrize(("variant", "diagonal"), [("i", 0.0), ("ii", 1.5**2 + 4.0**2)])
def test_penalties_by_hand(variant, diagonal):
    """Off-diagonal 1² twice; diagonal 0 for variant I, and (1 + 1.5 - 1)² + (1 + 4 - 1)² for variant II."""
    penalty, terms = DIP(variant=variant, lambda_od=3.0, lambda_d=7.0)(OUT)
    assert terms["dip_off_diagonal"].item() == pytest.approx(2)
    assert terms["dip_diagonal"].item() == pytest.approx(diagonal, abs=1e-6)
    assert penalty.item() == pytest.approx(terms["rate"].item() + 3 * 2 + 7 * diagonal)


def test_variant_ii_is_the_covariance_of_z():
    torch.manual_seed(0)
    z = DiagonalGaussian(MU.repeat(200_000, 1), VARIANCE.log().repeat(200_000, 1)).rsample()
    off_diagonal, diagonal = covariance(z)[0, 1], covariance(z).diagonal()
    _, terms = DIP(variant="ii", lambda_od=1.0, lambda_d=1.0)(OUT)
    assert terms["dip_off_diagonal"].item() == pytest.approx(2 * off_diagonal.item() ** 2, rel=0.05)
    assert terms["dip_diagonal"].item() == pytest.approx((diagonal - 1).square().sum().item(), rel=0.05)


def test_unknown_variant_raises():
    with pytest.raises(UserError, match=r"model.variant=iii: not a valid choice. Choose one of i, ii."):
        DIP(variant="iii", lambda_od=1.0, lambda_d=1.0)
