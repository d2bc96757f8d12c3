"""Networks against the tables of the papers, and on any image shape."""

import itertools

import pytest
import torch
from torch import nn

from vae_lightning.errors import UserError
from vae_lightning.networks import MLP, Conv

PAPER_CONV = Conv(channels=[32, 64, 128], kernels=[4, 4, 3])
PAPER_MLP = MLP(hidden_dims=[500], activation="Tanh")


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def output_shapes(module: nn.Module, x: torch.Tensor, kinds: tuple[type, ...]) -> list[tuple[int, ...]]:
    """The shape that each layer of these kinds gives for one image."""
    shapes: list[tuple[int, ...]] = []
    for layer in module.modules():
        if isinstance(layer, kinds):
            layer.register_forward_hook(lambda _layer, _x, out: shapes.append(tuple(out.shape[1:])))
    module(x)
    return shapes


def test_the_conv_encoder_is_table_1_of_vae_cvae_mnist():
    encoder = PAPER_CONV.encoder((1, 28, 28), 0)
    shapes = output_shapes(encoder, torch.zeros(1, 1, 28, 28), (nn.Conv2d, nn.Flatten))
    assert shapes == [(32, 14, 14), (64, 7, 7), (128, 4, 4), (2048,)]
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.kernel_size, c.stride) for c in convolutions] == [((k, k), (2, 2)) for k in (4, 4, 3)]
    assert count(encoder) == (16 * 1 * 32 + 32) + (16 * 32 * 64 + 64) + (9 * 64 * 128 + 128)


def test_the_conv_decoder_is_table_2_of_vae_cvae_mnist():
    decoder = PAPER_CONV.decoder(2, (1, 28, 28))
    shapes = output_shapes(decoder, torch.zeros(1, 2), (nn.Linear, nn.Unflatten, nn.ConvTranspose2d))
    assert shapes == [(2048,), (128, 4, 4), (64, 7, 7), (32, 14, 14), (1, 28, 28)]
    convolutions = [layer for layer in decoder.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [(c.kernel_size, c.stride) for c in convolutions] == [((k, k), (2, 2)) for k in (3, 4, 4)]
    assert count(decoder) == 3 * 2048 + (9 * 128 * 64 + 64) + (16 * 64 * 32 + 32) + (16 * 32 * 1 + 1)


def test_the_label_joins_the_image_as_planes():
    """vae-cvae-mnist, section 3.2.1: the encoder receives (1 + 10) x 28 x 28."""
    encoder = PAPER_CONV.encoder((1, 28, 28), 10)
    x, label = torch.rand(2, 1, 28, 28), torch.eye(10)[[3, 7]]
    planes = label.view(2, 10, 1, 1).expand(2, 10, 28, 28)
    assert torch.equal(encoder(x, label), encoder.layers(torch.cat([x, planes], dim=1)))


def test_the_mlp_has_the_parameters_of_kingma_welling_replication():
    """Appendix A: 392,500 in the encoder; 1,500 + 392,784 in the decoder, for a latent of 2."""
    assert count(PAPER_MLP.encoder((1, 28, 28), 0)) == 392_500
    assert count(PAPER_MLP.decoder(2, (1, 28, 28))) == 1_500 + 392_784


def test_the_mlp_joins_the_label_to_the_pixels():
    encoder = PAPER_MLP.encoder((1, 28, 28), 10)
    assert count(encoder) == (784 + 10) * 500 + 500
    x, label = torch.rand(2, 1, 28, 28), torch.eye(10)[[3, 7]]
    assert not torch.equal(encoder(x, label), encoder(x, label.flip(0)))


SIDES = (4, 5, 7, 8, 28, 31, 64)


@pytest.mark.parametrize("network", [PAPER_MLP, Conv(channels=[4, 8], kernels=[4, 3])], ids=["mlp", "conv"])
@pytest.mark.parametrize("shape", [(c, h, w) for c in (1, 3) for h, w in itertools.product(SIDES, SIDES[::3])], ids=str)
def test_any_image_shape_comes_back(network, shape):
    encoder = network.encoder(shape, 2)
    assert encoder(torch.zeros(2, *shape), torch.zeros(2, 2)).shape == (2, encoder.num_features)
    assert network.decoder(5, shape)(torch.zeros(2, 5)).shape == (2, *shape)


def test_an_image_too_small_is_refused():
    with pytest.raises(UserError, match="3 x 28 are too small to be halved 3 times"):
        PAPER_CONV.encoder((1, 3, 28), 0)


@pytest.mark.parametrize(("channels", "kernels"), [([8], [4, 4]), ([8], [5])])
def test_kernels_that_do_not_fit_are_refused(channels, kernels):
    with pytest.raises(UserError, match="as many kernels, each 3 or 4"):
        Conv(channels=channels, kernels=kernels)
