"""Tests of the network of Burgess et al. 2018."""

import pytest
import torch
from network_layers import count_parameters, output_shapes
from torch import nn

from vae_lightning.networks import Burgess

BURGESS = Burgess()


def test_layers_match_the_appendix():
    """Burgess et al. 2018: for 64 x 64, four convolutions with 32 channels and two linear layers with 256 units."""
    encoder, decoder = BURGESS.encoder((1, 64, 64), 0), BURGESS.decoder(10, (1, 64, 64))
    convolutions = [(32, side, side) for side in (32, 16, 8, 4)]
    shapes = output_shapes(encoder, torch.zeros(1, 1, 64, 64), (nn.Conv2d, nn.Linear))
    assert shapes == [*convolutions, (256,), (256,)]
    shapes = output_shapes(decoder, torch.zeros(1, 10), (nn.Linear, nn.ConvTranspose2d))
    assert shapes == [(256,), (256,), (512,), *convolutions[-2::-1], (1, 64, 64)]
    convolutions = 3 * (16 * 32 * 32 + 32)
    linear = 256 * 256 + 256
    assert count_parameters(encoder) == (16 * 32 + 32) + convolutions + (512 * 256 + 256) + linear
    assert count_parameters(decoder) == (10 * 256 + 256) + linear + (256 * 512 + 512) + convolutions + (16 * 32 + 1)


@pytest.mark.parametrize(
    ("sides", "halvings", "smallest"),
    [
        ((4, 4), 1, 2),
        ((64, 5), 1, 2),
        ((8, 8), 1, 4),
        ((28, 28), 3, 3),
        ((32, 32), 3, 4),
        ((64, 64), 4, 4),
        ((64, 128), 4, 4),
        ((128, 128), 5, 4),
    ],
)
def test_smaller_side_is_halved_to_four_or_less(sides, halvings, smallest):
    conv = BURGESS.conv((1, *sides))
    assert conv.kernels == [4] * halvings
    assert min(conv.shapes((1, *sides))[-1][1:]) == smallest
