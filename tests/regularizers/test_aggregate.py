import math

import pytest
import torch
from torch import Tensor

from vae_lightning.regularizers import aggregate
from vae_lightning.regularizers.aggregate import mean_log_aggregate


def by_all_pairs(z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    density = torch.distributions.Normal(mu, torch.exp(0.5 * logvar)).log_prob(z[:, None])  # (B, W, D)
    joint = torch.logsumexp(density.sum(2) + log_weights, dim=1)
    return joint.mean(), torch.logsumexp(density + log_weights[:, :, None], dim=1).sum(1).mean()


def case(rows: int, columns: int, latents: int) -> tuple[list[Tensor], Tensor]:
    torch.manual_seed(0)
    shapes = ((rows, latents), (columns, latents), (columns, latents))
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes], torch.randn(
        rows, columns, dtype=torch.double
    )


@pytest.mark.parametrize("numbers_at_a_time", [1, 40, 10_000])
def test_it_is_the_sum_over_all_pairs_however_few_are_taken_at_a_time(monkeypatch, numbers_at_a_time):
    monkeypatch.setitem(aggregate.NUMBERS_AT_A_TIME, "cpu", numbers_at_a_time)
    inputs, log_weights = case(5, 7, 3)
    for ours, expected in zip(
        mean_log_aggregate(*inputs, log_weights), by_all_pairs(*inputs, log_weights), strict=True
    ):
        torch.testing.assert_close(ours, expected)


def test_the_gradient_is_that_of_finite_differences(monkeypatch):
    monkeypatch.setitem(aggregate.NUMBERS_AT_A_TIME, "cpu", 40)  # two rows at a time, then one
    inputs, log_weights = case(5, 7, 3)
    assert torch.autograd.gradcheck(lambda *these: mean_log_aggregate(*these, log_weights), inputs)


def test_far_and_narrow_posteriors_give_the_gradient_of_double_precision():
    """Density ratios of e^-1000 and more, which single precision cannot hold."""
    (z, mu, logvar), _ = case(64, 64, 10)
    log_weights = torch.full((64, 64), -math.log(64), dtype=torch.double)
    gradients = []
    for dtype, formula in ((torch.float, mean_log_aggregate), (torch.double, by_all_pairs)):
        inputs = [x.detach().to(dtype).requires_grad_() for x in (z, mu, logvar - 5)]
        joint, product = formula(*inputs, log_weights.to(dtype))
        gradients.append(torch.autograd.grad(joint - product, inputs))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours.double(), expected, rtol=1e-3, atol=1e-5)


def test_what_is_kept_for_the_gradient_does_not_grow_with_the_pairs():
    (z, mu, logvar), log_weights = case(256, 256, 64)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        mean_log_aggregate(z, mu, logvar, log_weights)
    assert max(kept) == 256 * 64


def test_autocast_leaves_it_in_single_precision():
    (z, mu, logvar), log_weights = case(64, 64, 10)
    inputs = [x.detach().float().requires_grad_() for x in (z, mu, logvar)]
    plain = torch.autograd.grad(sum(mean_log_aggregate(*inputs, log_weights.float())), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        cast = torch.autograd.grad(sum(mean_log_aggregate(*inputs, log_weights.float())), inputs)
    for ours, expected in zip(cast, plain, strict=True):
        assert torch.equal(ours, expected)
