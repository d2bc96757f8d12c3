"""Tests of finite scalar quantization. Mentzer et al. 2023."""

from itertools import product

import pytest
import torch
from torch.testing import assert_close

from vae_lightning.distributions import FiniteScalarQuantizer
from vae_lightning.errors import UserError


def quantizer(levels, groups: int = 1) -> FiniteScalarQuantizer:
    """Return a quantizer whose projection is the identity."""
    module = FiniteScalarQuantizer(groups * len(levels), groups * len(levels), levels=levels)
    torch.nn.init.eye_(module.features.weight)
    torch.nn.init.zeros_(module.features.bias)
    return module


@pytest.mark.parametrize("levels", [[2], [3], [5, 4], [8, 6, 5], [2, 2, 2, 2]])
def test_every_code_is_reached_and_no_other(levels):
    module = quantizer(levels)
    grid = torch.linspace(-6, 6, 41)
    q = module(torch.cartesian_prod(*[grid] * len(levels)).view(-1, len(levels)))
    assert q.indices.unique().tolist() == list(range(module.codebook_size))
    values = [torch.arange(-(level // 2), level - level // 2) / (level // 2) for level in levels]
    assert_close(q.codes.flatten(0, 1).unique(dim=0), torch.tensor(list(product(*map(torch.Tensor.tolist, values)))))


def test_rounding_by_hand():
    """Five levels at multiples of 1/2 from -1 to 1; four at multiples of 1/2 from -1 to 1/2."""
    module = quantizer([5, 4])
    q = module(torch.tensor([[0.0, 0.0], [9.0, 9.0], [-9.0, -9.0], [0.3, 0.3]]))
    assert q.codes[:, 0].tolist() == [[0, 0], [1, 0.5], [-1, -1], [0.5, 0]]
    assert q.indices[:, 0].tolist() == [2 + 5 * 2, 4 + 5 * 3, 0, 3 + 5 * 2]


def test_zero_is_a_code_and_bound_is_increasing():
    module = quantizer([8, 5])
    assert_close(module.bound(torch.zeros(1, 1, 2)), torch.zeros(1, 1, 2), atol=1e-6, rtol=0)
    values = module.bound(torch.linspace(-3, 3, 100)[:, None, None].expand(-1, 1, 2))
    assert (values.diff(dim=0) > 0).all()


def test_gradient_is_straight_through():
    """The gradient of the codes is that of the bounded values."""
    module, x = quantizer([8, 5, 5], groups=2), torch.randn(4, 6, requires_grad=True)
    weights = torch.randn(4, 6)
    (through,) = torch.autograd.grad((module(x).rsample() * weights).sum(), x)
    (bounded,) = torch.autograd.grad(
        (module.bound(x.view(4, 2, 3)).flatten(1) / torch.tensor([4, 2, 2] * 2) * weights).sum(), x
    )
    assert_close(through, bounded)


def test_there_is_nothing_to_learn_but_the_projection():
    assert {name for name, _ in quantizer([5, 4]).named_parameters()} == {"features.weight", "features.bias"}
    assert set(quantizer([5, 4]).state_dict()) == {"features.weight", "features.bias"}


def test_number_of_levels_must_divide_the_number_of_latents():
    with pytest.raises(UserError, match=r"model.latent_dim=4: must be a multiple of 3, the latents per code"):
        FiniteScalarQuantizer(8, 4, levels=[8, 5, 5])
