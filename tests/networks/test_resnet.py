"""Tests of the residual network: levels, blocks and attention."""

import math

import pytest
import torch
import torch.nn.functional as F
from network_layers import count_parameters, output_shapes
from torch import nn

from vae_lightning.networks import ResNet
from vae_lightning.networks.resnet import ResidualBlock, SelfAttention, group_norm


def test_each_level_halves_the_resolution_rounded_up_and_the_decoder_mirrors_it():
    network = ResNet(channels=[4, 6, 8], blocks=2, attention=False)
    first, second, third = (4, 31, 28), (6, 16, 14), (8, 8, 7)
    encoder, decoder = network.encoder((3, 31, 28), 0), network.decoder(5, (3, 31, 28))
    assert output_shapes(encoder, torch.zeros(1, 3, 31, 28), (ResidualBlock,)) == [
        first,
        first,
        second,
        second,
        third,
        third,
    ]
    assert output_shapes(decoder, torch.zeros(1, 5), (ResidualBlock,)) == [third, third, second, second, first, first]
    assert encoder.num_features == 8 * 8 * 7


def test_attention_is_at_the_lowest_resolution_of_encoder_and_decoder():
    network = ResNet(channels=[4, 6], blocks=1, attention=True)
    encoder, decoder = network.encoder((1, 9, 9), 0), network.decoder(5, (1, 9, 9))
    assert output_shapes(encoder, torch.zeros(1, 1, 9, 9), (SelfAttention,)) == [(6, 5, 5)]
    assert output_shapes(decoder, torch.zeros(1, 5), (SelfAttention,)) == [(6, 5, 5)]


def test_parameter_count():
    """A k x k convolution has k²·n·m + m parameters, a group norm 2n."""

    def conv(n, m, k=3):
        return k * k * n * m + m

    def block(n, m):
        return 2 * n + conv(n, m) + 2 * m + conv(m, m) + (conv(n, m, 1) if n != m else 0)

    attention = 2 * 8 + 3 * 8 * 8 + (8 * 8 + 8)
    network = ResNet(channels=[4, 8], blocks=2, attention=True)
    down = block(4, 4) + block(4, 4) + conv(4, 4) + block(4, 8) + block(8, 8)
    encoder = conv(1 + 10, 4) + down + attention + 2 * 8
    up = block(8, 8) + block(8, 8) + conv(8, 8) + block(8, 4) + block(4, 4)
    decoder = (15 * 8 * 4 * 4 + 8 * 4 * 4) + attention + up + 2 * 4 + conv(4, 1)
    assert count_parameters(network.encoder((1, 8, 8), 10)) == encoder
    assert count_parameters(network.decoder(15, (1, 8, 8))) == decoder


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (3, 2, 3), (2, 17, 1)], ids=str)
def test_smallest_image_shapes_are_restored(shape):
    network = ResNet(channels=[4, 6, 8], blocks=1, attention=True)
    assert network.encoder(shape, 0)(torch.rand(2, *shape)).isfinite().all()
    assert network.decoder(5, shape)(torch.rand(2, 5)).shape == (2, *shape)


def test_residual_block_adds_two_preactivated_convolutions_to_its_input():
    block, x = ResidualBlock(4, 6), torch.randn(2, 4, 5, 5)
    norm, _, first, second_norm, _, second = block.residual
    residual = second(F.silu(second_norm(first(F.silu(norm(x))))))
    weight, bias = block.skip.weight[:, :, 0, 0], block.skip.bias
    skip = torch.einsum("bchw,dc->bdhw", x, weight) + bias[:, None, None]
    torch.testing.assert_close(block(x), skip + residual)


def test_residual_block_with_equal_channels_has_an_identity_skip():
    block, x = ResidualBlock(4, 4), torch.randn(2, 4, 5, 5)
    nn.init.zeros_(block.residual[-1].weight)
    nn.init.zeros_(block.residual[-1].bias)
    assert torch.equal(block(x), x)


def test_attention_equals_an_explicit_softmax():
    """Vaswani et al. 2017, Eq. 1, computed pixel by pixel."""
    attention, x = SelfAttention(6), 3 * torch.randn(2, 6, 3, 4)
    normed = attention.norm(x)
    w_q, w_k, w_v = attention.qkv.weight.split(6)
    expected = x.clone()
    for image in range(2):
        pixels = [normed[image, :, row, column] for row in range(3) for column in range(4)]
        for i, pixel in enumerate(pixels):
            scores = torch.stack([(w_q @ pixel) @ (w_k @ other) / math.sqrt(6) for other in pixels])
            mixed = sum(weight * (w_v @ other) for weight, other in zip(scores.softmax(0), pixels, strict=True))
            expected[image, :, i // 4, i % 4] += attention.out(mixed)
    torch.testing.assert_close(attention(x), expected)


def test_attention_is_permutation_equivariant():
    attention, x, order = SelfAttention(6), torch.randn(2, 6, 3, 4), torch.randperm(12)

    def shuffled(images):
        return images.flatten(2)[:, :, order].view_as(images)

    torch.testing.assert_close(attention(shuffled(x)), shuffled(attention(x)))
    assert not torch.allclose(attention(x), shuffled(attention(x)))


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (7, 1), (16, 1), (24, 1), (32, 2), (40, 2), (48, 3), (64, 4), (100, 2), (512, 32)]
)
def test_group_norm_has_16_channels_per_group_or_more_if_16_does_not_divide_them(channels, groups):
    assert group_norm(channels).num_groups == groups


def test_group_norm_of_a_single_pixel_is_not_zero():
    x = torch.randn(1, 32, 1, 1)
    assert group_norm(32)(x).std() > 0.5
