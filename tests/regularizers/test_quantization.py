"""The two distances between features and codes, and what is logged of the codes."""

import math

import pytest
import torch

from vae_lightning.distributions import Bernoulli, Codes, ForwardPass
from vae_lightning.regularizers import Quantization

INDICES = torch.tensor([[0, 1, 1], [0, 3, 3]])


def inference(features, codes) -> ForwardPass:
    x = torch.zeros(2, 1, 1, 1)
    return ForwardPass(x, None, Codes(features, codes, INDICES), None, features.flatten(1), Bernoulli()(x))


@pytest.mark.parametrize(("ema", "weight"), [(True, 0.25), (False, 1.25)])
def test_the_distances_by_hand(ema, weight):
    """Summed over codes and their dimensions, mean over the batch: 6 numbers a distance of 2 apart give 24."""
    features, codes = torch.zeros(2, 3, 2, requires_grad=True), torch.full((2, 3, 2), 2.0, requires_grad=True)
    penalty, terms = Quantization(beta=0.25, codebook_size=8, ema=ema)(inference(features, codes))
    assert terms["commitment"].item() == 24
    assert penalty.item() == weight * 24
    penalty.backward()
    assert torch.equal(features.grad, torch.full_like(features, 0.25 * 2 * -2 / 2))  # the commitment's alone
    if ema:
        assert codes.grad is None
    else:
        assert torch.equal(codes.grad, torch.full_like(codes, 2 * 2 / 2))  # the codebook loss alone


def test_rate_and_perplexity_by_hand():
    """3 codes an image out of 8: 3 log 8. Shares 2, 2, 0, 2 of 6: as good as 3 codes used evenly."""
    _, terms = Quantization(beta=1.0, codebook_size=8, ema=True)(inference(torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)))
    assert terms["rate"].item() == pytest.approx(3 * math.log(8))
    assert terms["perplexity"].item() == pytest.approx(3)
