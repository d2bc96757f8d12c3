"""Tests of the two distances between features and codes, of the entropies of bits, and of the logged terms."""

import math
from itertools import product

import pytest
import torch

from vae_lightning.distributions import Bernoulli, Codes, ForwardPass
from vae_lightning.priors.uniform_codes import UniformIndices
from vae_lightning.regularizers import LookupFreeQuantization, Quantization
from vae_lightning.regularizers.quantization import entropy_penalty

INDICES = torch.tensor([[0, 1, 1], [0, 3, 3]])


def forward_pass(features, codes, codebook_size=8) -> ForwardPass:
    x = torch.zeros(2, 1, 1, 1)
    pz = UniformIndices(num_codes=3, codebook_size=codebook_size, zeros=torch.zeros(1, 6))
    return ForwardPass(x, None, Codes(features, codes, INDICES, codebook_size), pz, features.flatten(1), Bernoulli()(x))


@pytest.mark.parametrize(("ema", "weight"), [(True, 0.25), (False, 1.25)])
def test_distances_by_hand(ema, weight):
    """Summed over codes and dimensions, averaged over the batch: 6 differences of 2 give 24."""
    features, codes = torch.zeros(2, 3, 2, requires_grad=True), torch.full((2, 3, 2), 2.0, requires_grad=True)
    penalty, terms = Quantization(beta=0.25, ema=ema)(forward_pass(features, codes))
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
    _, terms = Quantization(beta=1.0, ema=True)(forward_pass(torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)))
    assert terms["rate"].item() == pytest.approx(3 * math.log(8))
    assert terms["perplexity"].item() == pytest.approx(3)


def test_commitment_to_partial_sums_by_hand():
    """Lee et al. 2022, Eq. 7: 6 differences of 2 at the first depth and of 1 at the second give 24 + 6."""
    features, codes = torch.zeros(2, 3, 2, requires_grad=True), torch.full((2, 3, 2), 1.0)
    out = forward_pass(features, codes)
    out = out._replace(qz=out.qz._replace(partial_sums=torch.stack([2 * codes, codes])))
    penalty, terms = Quantization(beta=0.25, ema=True)(out)
    assert terms["commitment"].item() == 30
    penalty.backward()
    assert torch.equal(features.grad, torch.full_like(features, 0.25 * 2 * (-2 - 1) / 2))


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_entropies_equal_the_sums_over_all_codes(d, temperature):
    """Yu et al. 2023, Eq. 5, with a softmax of the negative squared distances to all 2^d codes."""
    torch.manual_seed(0)
    features = torch.randn(40, d, dtype=torch.float64, requires_grad=True)
    codes = torch.tensor([*product([-1.0, 1.0], repeat=d)], dtype=torch.float64)
    q = (-(features[:, None] - codes).square().sum(2) / temperature).softmax(1)
    expected = torch.special.entr(q).sum(1).mean() - torch.special.entr(q.mean(0)).sum()
    actual = entropy_penalty(features, temperature)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, features)[0] for value in (actual, expected)))


def test_entropies_of_certain_assignments():
    """The same code for all features gives 0; all 2^d codes equally often give -d log 2. Gradients are finite."""
    for rows, expected in (([[1.0] * 3] * 8, 0.0), ([*product([-1.0, 1.0], repeat=3)], -3 * math.log(2))):
        features = torch.tensor(rows, requires_grad=True)
        penalty = entropy_penalty(features, 0.001)
        assert penalty.item() == pytest.approx(expected, abs=1e-6)
        penalty.backward()
        assert features.grad.isfinite().all()


def test_lookup_free_losses_by_hand():
    """Features at a distance of 1 from their signs; 3 codes per image, 2 bits each, whose entropies are weighted."""
    features = torch.full((2, 3, 2), 2.0)
    features[1] = -2.0
    out = forward_pass(features, features.sign(), codebook_size=4)
    penalty, terms = LookupFreeQuantization(beta=0.25, entropy_weight=10.0, temperature=0.1)(out)
    assert terms["commitment"].item() == 6
    assert terms["entropy_penalty"].item() == pytest.approx(-3 * math.log(2))  # two codes, equally often
    assert penalty.item() == pytest.approx(0.25 * 6 - 10 * 3 * math.log(2))
    assert terms["rate"].item() == pytest.approx(3 * math.log(4))
