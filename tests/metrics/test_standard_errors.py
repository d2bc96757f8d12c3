"""Standard errors from groups of points."""

import math

import pytest
import torch

from vae_lightning.metrics import block_errors, fid, jackknife_errors, precision_recall_density_coverage


def mean(*samples):
    return [sum(x.mean() for x in samples).item()]


def test_groups_of_one_give_the_standard_error_of_a_mean():
    x = torch.randn(30, dtype=torch.float64)
    assert jackknife_errors(mean, x, groups=30) == pytest.approx([x.std().item() / 30**0.5])
    assert jackknife_errors(mean, x, groups=99) == pytest.approx([x.std().item() / 30**0.5])


def test_variances_of_independent_samples_add_up():
    """Over many divisions into groups, since those of one are correlated by chance."""
    torch.manual_seed(0)
    x, y = torch.randn(400, dtype=torch.float64), 2 * torch.randn(900, dtype=torch.float64)
    variances = [jackknife_errors(mean, x, y, groups=20, seed=seed)[0] ** 2 for seed in range(100)]
    assert sum(variances) / 100 == pytest.approx((x.var() / 400 + y.var() / 900).item(), rel=0.1)


def test_several_statistics_and_the_seed():
    x = torch.randn(50, 2)
    both = jackknife_errors(lambda x: x.mean(0).tolist(), x)
    each = [jackknife_errors(mean, x[:, i])[0] for i in (0, 1)]
    assert both == pytest.approx(each)
    assert both == jackknife_errors(lambda x: x.mean(0).tolist(), x)
    assert both != jackknife_errors(lambda x: x.mean(0).tolist(), x, seed=1)


def check_spread(errors, metrics, tolerance):
    """Compare the estimates with the spread of the metrics over pairs of new samples."""
    torch.manual_seed(0)
    pairs = [(torch.randn(500, 3), 1.2 * torch.randn(400, 3) + 0.3) for _ in range(60)]
    spread = torch.tensor([metrics(*pair) for pair in pairs]).std(0)
    ratio = torch.tensor([errors(metrics, *pair) for pair in pairs]).square().mean(0).sqrt() / spread
    assert ((1 - ratio).abs() < tolerance).all(), ratio


def test_jackknife_estimates_the_spread_of_the_fid():
    check_spread(jackknife_errors, lambda *pair: [fid(*pair)], 0.3)


def test_blocks_estimate_the_spread_of_metrics_of_neighbors():
    check_spread(block_errors, precision_recall_density_coverage, 0.5)


def test_blocks_of_a_mean():
    """For groups of one point, it is the usual standard error."""
    x = torch.randn(30)
    assert block_errors(mean, x, groups=30) == pytest.approx([x.std().item() / 30**0.5])


@pytest.mark.parametrize("errors", [jackknife_errors, block_errors])
def test_error_of_one_point_is_unknown(errors):
    assert math.isnan(errors(mean, torch.ones(1), torch.ones(5))[0])
