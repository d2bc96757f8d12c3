"""Applying a network in blocks of rows."""

import pytest
import torch

from vae_lightning.models import IWAE
from vae_lightning.networks import Conv
from vae_lightning.networks.row_blocks import ROWS, apply_in_blocks

NETWORK = {"channels": [4, 8], "kernels": [4, 4]}


def rows_per_call(module, x):
    """Apply a module in blocks, and return the result and the numbers of rows it was called with."""
    rows = []
    hook = module.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    y = apply_in_blocks(module, x)
    hook.remove()
    return y, rows


@pytest.mark.parametrize("n", [3, 2 * ROWS, 2 * ROWS + 1, 3 * ROWS])
def test_values_and_gradients_are_those_of_one_piece(n):
    decoder, z = Conv(**NETWORK).decoder(3, (1, 8, 8)), torch.randn(n, 3, requires_grad=True)
    y, rows = rows_per_call(decoder, z)
    assert sum(rows) == n
    assert max(rows) == (n if n <= 2 * ROWS else ROWS)
    expected = decoder(z)
    torch.testing.assert_close(y, expected)
    inputs = [z, *decoder.parameters()]
    gradients = (torch.autograd.grad(value.square().mean(), inputs) for value in (y, expected))
    for actual, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(actual, whole)


def test_batch_norm_sees_all_rows_in_training():
    decoder, z = Conv(**NETWORK, batch_norm=True).decoder(3, (1, 8, 8)), torch.randn(3 * ROWS, 3)
    assert rows_per_call(decoder, z)[1] == [3 * ROWS]
    assert rows_per_call(decoder.eval(), z)[1] == [ROWS] * 3


def test_a_bound_with_many_draws_is_decoded_in_blocks(parts, images):
    rows = []
    model = IWAE(num_samples=1 + 2 * ROWS // len(images), **parts)
    model.decoder.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    model(images)
    assert len(rows) > 1
