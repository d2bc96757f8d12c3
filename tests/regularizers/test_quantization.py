"""Tests of the two distances between features and codes, and of the logged terms."""

import math

import pytest
import torch

from vae_lightning.distributions import Bernoulli, Codes, ForwardPass
from vae_lightning.regularizers import Quantization

INDICES = torch.tensor([[0, 1, 1], [0, 3, 3]])


def forward_pass(features, codes) -> ForwardPass:
    x = torch.zeros(2, 1, 1, 1)
    return ForwardPass(x, None, Codes(features, codes, INDICES), None, features.flatten(1), Bernoulli()(x))


@pytest.mark.parametrize(("ema", "weight"), [(True, 0.25), (False, 1.25)])
def test_distances_by_hand(ema, weight):
    """Summed over codes and dimensions, averaged over the batch: 6 differences of 2 give 24."""
    features, codes = torch.zeros(2, 3, 2, requires_grad=True), torch.full((2, 3, 2), 2.0, requires_grad=True)
    penalty, terms = Quantization(beta=0.25, codebook_size=8, ema=ema)(forward_pass(features, codes))
    assert terms["commitment"].item() == 24
    assert penalty.item() == weight * 24
    penalty.backward()
    assert torch.equal(features.grad, torch.full_like(features, 0.25 * 2 * -2 / 2))  # of the commitment loss only
    if ema:
        assert codes.grad is None
    else:
        assert torch.equal(codes.grad, torch.full_like(codes, 2 * 2 / 2))  # of the codebook loss only


def test_rate_and_perplexity_by_hand():
    """3 codes per image out of 8 give 3 log 8. Counts 2, 2, 0, 2 of 6 are 3 codes in uniform use."""
    _, terms = Quantization(beta=1.0, codebook_size=8, ema=True)(
        forward_pass(torch.zeros(2, 3, 2), torch.zeros(2, 3, 2))
    )
    assert terms["rate"].item() == pytest.approx(3 * math.log(8))
    assert terms["perplexity"].item() == pytest.approx(3)
