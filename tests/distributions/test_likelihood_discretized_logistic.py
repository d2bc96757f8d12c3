"""Tests of the discretized logistic, whose masses sum to 1 and equal those of decimal arithmetic."""

import math
from decimal import Decimal, localcontext

import pytest
import torch

from vae_lightning.distributions import DiscretizedLogistic, DiscretizedLogisticImages
from vae_lightning.distributions.likelihoods.discretized_logistic import MIN_SCALE
from vae_lightning.errors import UserError

GRAY = torch.arange(256).view(256, 1, 1, 1) / 255
MEANS = [0.0, 1e-4, 0.3, 0.5, 0.9, 1.0]
LOG_SCALES = [math.log(MIN_SCALE), -7.0, -5.5, -3.0, 0.0, 10.0, 87.0, 200.0]


def log_masses(mean: float, log_scale: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Compute the log masses of the 256 gray values, (256,)."""
    ones = torch.ones(256, 1, 1, 1, dtype=dtype)
    return DiscretizedLogisticImages(mean * ones, log_scale * ones).log_prob(GRAY.to(dtype))


def exact_log_mass(k: int, mean: float, log_scale: float) -> float:
    """Compute the log mass of gray value k/255 in decimal arithmetic."""
    with localcontext() as context:
        context.prec = 150
        scale = Decimal(log_scale).exp()

        def below(edge: Decimal) -> Decimal:
            return 1 / (1 + (-(edge / 255 - Decimal(mean)) / scale).exp())

        def above(edge: Decimal) -> Decimal:
            return 1 / (1 + ((edge / 255 - Decimal(mean)) / scale).exp())

        low, high = Decimal(k) - Decimal("0.5"), Decimal(k) + Decimal("0.5")
        if k == 0:
            return float(below(high).ln())
        if k == 255:
            return float(above(low).ln())
        tail_is_below = k < 255 * mean  # the difference in the smaller tail does not cancel
        return float((below(high) - below(low) if tail_is_below else above(low) - above(high)).ln())


@pytest.mark.parametrize("log_scale", LOG_SCALES)
@pytest.mark.parametrize("mean", MEANS)
def test_masses_sum_to_1(mean, log_scale):
    assert log_masses(mean, log_scale, torch.float64).exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_masses(mean, log_scale).exp().sum().item() == pytest.approx(1, abs=2e-5)


@pytest.mark.parametrize("log_scale", LOG_SCALES)
@pytest.mark.parametrize("mean", MEANS)
def test_masses_are_exact(mean, log_scale):
    actual = log_masses(mean, log_scale, torch.float64)
    for k in (0, 1, 76, 77, 127, 128, 200, 254, 255):
        assert actual[k].item() == pytest.approx(exact_log_mass(k, mean, log_scale), rel=1e-9, abs=1e-9)
    torch.testing.assert_close(log_masses(mean, log_scale).double(), actual, rtol=1e-5, atol=5e-3)


def test_no_mass_is_above_1():
    assert max(log_masses(mean, log_scale).max() for mean in MEANS for log_scale in LOG_SCALES) < 1e-6


def test_rounding_errors_of_gray_values_change_nothing():
    px = DiscretizedLogistic(scale=0.1)(torch.zeros(256, 2, 1, 1))
    assert torch.equal(px.log_prob(GRAY + 1e-6), px.log_prob(GRAY))


def test_decoder_outputs_mean_and_scale():
    location, offset = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    px = DiscretizedLogistic(scale=0.1)(torch.cat([location, offset], dim=1))
    torch.testing.assert_close(px.mean, torch.sigmoid(location))
    torch.testing.assert_close(px.log_scale, math.log(0.1) + offset, rtol=0, atol=1e-3)


def test_pixel_that_never_changes_has_log_prob_0():
    output = torch.tensor([-30.0, -30.0]).view(1, 2, 1, 1)
    log_prob = DiscretizedLogistic(scale=0.1)(output).log_prob(torch.zeros(1, 1, 1, 1))
    assert -1e-6 < log_prob.item() <= 0


def test_scale_at_the_floor_raises():
    for scale in (0, -1.0, MIN_SCALE):
        with pytest.raises(UserError, match=f"must start above 0.0001, got {scale}"):
            DiscretizedLogistic(scale=scale)
