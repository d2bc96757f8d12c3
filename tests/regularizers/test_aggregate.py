"""Tests of the mean log density of the aggregate posterior against a tensor of all pairs and latents."""

import math

import pytest
import torch
from torch import Tensor

from vae_lightning.regularizers import aggregate
from vae_lightning.regularizers.aggregate import mean_log_aggregate


def all_pairs(z: Tensor, mu: Tensor, logvar: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `mean_log_aggregate` from a (B, W, D) tensor."""
    density = torch.distributions.Normal(mu, torch.exp(0.5 * logvar)).log_prob(z[:, None])  # (B, W, D)
    joint = torch.logsumexp(density.sum(2) + log_weights, dim=1)
    return joint.mean(), torch.logsumexp(density + log_weights[:, :, None], dim=1).sum(1).mean()


def random_inputs(rows: int, columns: int, latents: int) -> tuple[list[Tensor], Tensor]:
    """Return z, mu and logvar, and the log weights."""
    torch.manual_seed(0)
    shapes = ((rows, latents), (columns, latents), (columns, latents))
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes], torch.randn(
        rows, columns, dtype=torch.double
    )


@pytest.mark.parametrize("chunk_numel", [1, 42, 10_000])
def test_equals_the_sum_over_all_pairs_for_any_chunk_size(monkeypatch, chunk_numel):
    monkeypatch.setattr(aggregate, "CPU_CHUNK_NUMEL", chunk_numel)
    inputs, log_weights = random_inputs(5, 7, 3)
    for actual, expected in zip(mean_log_aggregate(*inputs, log_weights), all_pairs(*inputs, log_weights), strict=True):
        torch.testing.assert_close(actual, expected)


def test_gradient_equals_finite_differences(monkeypatch):
    monkeypatch.setattr(aggregate, "CPU_CHUNK_NUMEL", 42)  # two rows per chunk, one in the last
    inputs, log_weights = random_inputs(5, 7, 3)
    assert torch.autograd.gradcheck(lambda *args: mean_log_aggregate(*args, log_weights), inputs)


def test_gradient_is_accurate_for_distant_and_narrow_posteriors():
    """The density ratios, e^-1000 and less, underflow in single precision."""
    (z, mu, logvar), _ = random_inputs(64, 64, 10)
    log_weights = torch.full((64, 64), -math.log(64), dtype=torch.double)
    gradients = []
    for dtype, formula in ((torch.float, mean_log_aggregate), (torch.double, all_pairs)):
        inputs = [x.detach().to(dtype).requires_grad_() for x in (z, mu, logvar - 5)]
        joint, product = formula(*inputs, log_weights.to(dtype))
        gradients.append(torch.autograd.grad(joint - product, inputs))
    for actual, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(actual.double(), expected, rtol=1e-3, atol=1e-5)


def test_saved_tensors_do_not_grow_with_the_number_of_pairs():
    (z, mu, logvar), log_weights = random_inputs(256, 256, 64)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        mean_log_aggregate(z, mu, logvar, log_weights)
    assert max(sizes) == 256 * 64


def test_autocast_keeps_single_precision():
    (z, mu, logvar), log_weights = random_inputs(64, 64, 10)
    inputs = [x.detach().float().requires_grad_() for x in (z, mu, logvar)]
    expected_gradients = torch.autograd.grad(sum(mean_log_aggregate(*inputs, log_weights.float())), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        gradients = torch.autograd.grad(sum(mean_log_aggregate(*inputs, log_weights.float())), inputs)
    for actual, expected in zip(gradients, expected_gradients, strict=True):
        assert torch.equal(actual, expected)
