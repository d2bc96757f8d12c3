"""Tests of free bits against a KL worked out by hand."""

import pytest
import torch

from vae_lightning.distributions import DiagonalGaussian, ForwardPass, StandardGaussian
from vae_lightning.regularizers import KL, FreeBits

# KL per latent, ½ mu² for σ = 1: 0.5, 2, 0, 0 for the first image and 0, 2, 0.08, 0 for the second. On average
# 0.25, 2, 0.04, 0.
MU = torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 2.0, 0.4, 0.0]])


def forward_pass(mu):
    zeros = torch.zeros(1, 4)
    return ForwardPass(mu, None, DiagonalGaussian(mu, torch.zeros_like(mu)), StandardGaussian(zeros, zeros), mu, None)


@pytest.mark.parametrize(
    ("free_bits", "group_size", "expected"),
    [
        (0.3, 1, 0.3 + 2 + 0.3 + 0.3),  # the first image alone has a KL above 0.3
        (0.2, 1, 0.25 + 2 + 0.2 + 0.2),
        (0.3, 2, 2.25 + 0.3),
        (3.0, 4, 3.0),
        (0.0, 1, 2.29),
    ],
)
def test_minimum_applies_to_the_mean_over_the_batch_of_each_group(free_bits, group_size, expected):
    penalty, terms = FreeBits(free_bits=free_bits, group_size=group_size)(forward_pass(MU))
    assert penalty.item() == pytest.approx(expected)
    assert terms["rate"].item() == pytest.approx(2.29)


def test_only_groups_above_the_minimum_have_a_gradient():
    mu = MU.clone().requires_grad_()
    FreeBits(free_bits=0.2)(forward_pass(mu))[0].backward()
    torch.testing.assert_close(mu.grad, torch.tensor([[0.5, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))


def test_without_free_bits_it_is_the_kl():
    torch.testing.assert_close(FreeBits(free_bits=0.0)(forward_pass(MU)), KL(beta=1.0)(forward_pass(MU)))
