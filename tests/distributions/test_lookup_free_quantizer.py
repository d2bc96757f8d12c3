"""Tests of lookup-free quantization. Yu et al. 2023."""

import pytest
import torch
from torch import nn

from vae_lightning.distributions import LookupFreeQuantizer
from vae_lightning.errors import UserError


def test_signs_and_indices_by_hand():
    """Two codes of three bits; 0 is not positive (Eq. 3), and the first bit counts 1 (Eq. 4)."""
    module = LookupFreeQuantizer(6, 6, code_dim=3)
    module.features = nn.Identity()
    q = module(torch.tensor([[0.3, -2.0, 0.1, 0.0, 5.0, -0.1], [-1.0, -1.0, 1.0, 1.0, 1.0, 1.0]]))
    assert q.codes.tolist() == [[[1, -1, 1], [-1, 1, -1]], [[-1, -1, 1], [1, 1, 1]]]
    assert q.indices.tolist() == [[1 + 4, 2], [4, 1 + 2 + 4]]
    assert module.lookup(torch.tensor([[5, 2]])).tolist() == [[1, -1, 1, -1, 1, -1]]


def test_there_is_nothing_to_learn_but_the_projection():
    assert set(LookupFreeQuantizer(6, 6, code_dim=3).state_dict()) == {"features.weight", "features.bias"}


def test_lookup_has_the_type_of_the_weights():
    assert LookupFreeQuantizer(6, 6, code_dim=3).double().lookup(torch.tensor([[5, 2]])).dtype == torch.float64


def test_more_codes_than_can_be_counted_are_rejected():
    with pytest.raises(UserError, match=r"^model.code_dim=21: must be at most 20, which gives 2\^code_dim codes\.$"):
        LookupFreeQuantizer(21, 21, code_dim=21)
