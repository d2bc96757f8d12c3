"""Tests of the convolutional network, against the tables of the papers."""

import pytest
import torch
from network_layers import configured_network, count_parameters, layer_names, output_shapes
from torch import nn

from vae_lightning.errors import UserError
from vae_lightning.networks import Conv
from vae_lightning.networks.conv import BatchNorm

CONV = Conv()
CELEBA = configured_network("celeba")


def test_encoder_matches_table_1_of_vae_cvae_mnist():
    encoder = CONV.encoder((1, 28, 28), 0)
    shapes = output_shapes(encoder, torch.zeros(1, 1, 28, 28), (nn.Conv2d, nn.Flatten))
    assert shapes == [(32, 14, 14), (64, 7, 7), (128, 4, 4), (2048,)]
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.kernel_size, c.stride) for c in convolutions] == [((k, k), (2, 2)) for k in (4, 4, 3)]
    assert count_parameters(encoder) == (16 * 1 * 32 + 32) + (16 * 32 * 64 + 64) + (9 * 64 * 128 + 128)


def test_decoder_matches_table_2_of_vae_cvae_mnist():
    decoder = CONV.decoder(2, (1, 28, 28))
    shapes = output_shapes(decoder, torch.zeros(1, 2), (nn.Linear, nn.Unflatten, nn.ConvTranspose2d))
    assert shapes == [(2048,), (128, 4, 4), (64, 7, 7), (32, 14, 14), (1, 28, 28)]
    convolutions = [layer for layer in decoder.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [(c.kernel_size, c.stride) for c in convolutions] == [((k, k), (2, 2)) for k in (3, 4, 4)]
    assert count_parameters(decoder) == 3 * 2048 + (9 * 128 * 64 + 64) + (16 * 64 * 32 + 32) + (16 * 32 * 1 + 1)


def test_defaults_equal_plain_torch_layers():
    """The same seed gives the same weights, with the same keys in the state dict."""
    torch.manual_seed(0)
    encoder, decoder = CONV.encoder((1, 28, 28), 0), CONV.decoder(2, (1, 28, 28))
    torch.manual_seed(0)
    by_hand = nn.ModuleDict()
    by_hand["layers"] = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU()),
        *(nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU()),
        *(nn.Conv2d(64, 128, 3, 2, 1), nn.ReLU(), nn.Flatten()),
    )
    decoder_by_hand = nn.Sequential(
        *(nn.Linear(2, 2048), nn.ReLU(), nn.Unflatten(1, (128, 4, 4))),
        *(nn.ConvTranspose2d(128, 64, 3, 2, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU()),
        nn.ConvTranspose2d(32, 1, 4, 2, 1),
    )
    for module, expected in ((encoder, by_hand), (decoder, decoder_by_hand)):
        assert list(module.state_dict()) == list(expected.state_dict())
        assert all(torch.equal(p, q) for p, q in zip(module.parameters(), expected.parameters(), strict=True))
    x, z = torch.rand(2, 1, 28, 28), torch.randn(2, 2)
    assert torch.equal(encoder(x), by_hand["layers"](x))
    assert torch.equal(decoder(z), decoder_by_hand(z))


def test_gated_network_has_the_shapes_of_another_one():
    gated, plain = Conv(activation="GLU", hidden_dims=[20]), Conv(hidden_dims=[20])
    x, z = torch.rand(2, 3, 28, 21), torch.randn(2, 5)
    assert gated.encoder((3, 28, 21), 0)(x).shape == plain.encoder((3, 28, 21), 0)(x).shape
    decoder = gated.decoder(5, (3, 28, 21))
    assert decoder(z).shape == (2, 3, 28, 21)
    assert [layer.dim for layer in decoder.modules() if isinstance(layer, nn.GLU)] == [1] * 4
    assert Conv(activation="GLU", batch_norm=True).encoder((3, 28, 21), 0)(x).shape == (2, 2048 // 4 * 3)


def test_batch_norm_and_linear_layers_are_in_the_right_places():
    """Batch norm only between convolutions, linear layers between convolutions and latents."""
    network = Conv(channels=[4, 6, 8], kernels=[4, 4, 3], hidden_dims=[20, 10], activation="ELU", batch_norm=True)
    encoder, decoder = network.encoder((3, 16, 16), 0), network.decoder(5, (3, 16, 16))
    block, last, linear = ["Conv2d", "BatchNorm", "ELU"], ["Conv2d", "ELU", "Flatten"], ["Linear", "ELU"]
    assert layer_names(encoder.layers) == [*block, *block, *last, *linear, *linear]
    assert [layer.out_features for layer in encoder.layers if isinstance(layer, nn.Linear)] == [20, 10]
    assert encoder.num_features == 10
    block = ["ConvTranspose2d", "BatchNorm", "ELU"]
    assert layer_names(decoder) == [*linear, *linear, *linear, "Unflatten", *block, *block, "ConvTranspose2d"]
    assert [layer.out_features for layer in decoder if isinstance(layer, nn.Linear)] == [10, 20, 8 * 2 * 2]


def test_batch_norm_of_a_single_value_per_channel_has_no_variance_to_divide_by():
    norm = BatchNorm(3)
    norm.running_mean[:], norm.running_var[:] = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 1.0, 9.0])
    x = torch.tensor([5.0, 5.0, 0.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([2.0, 3.0, -1.0]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() == [1, 2, 3]
    several, expected = torch.randn(2, 3, 1, 1), torch.nn.BatchNorm2d(3)
    expected.load_state_dict(norm.state_dict())
    assert torch.equal(norm(several), expected(several))
    assert torch.equal(norm.running_var, expected.running_var)


def test_celeba_network_has_six_convolutions_with_leaky_relu_and_batch_norm_in_between():
    """overview-ae-vae-beta-tcvae-celeba, section VI.A."""
    encoder, decoder = CELEBA.encoder((3, 64, 64), 0), CELEBA.decoder(32, (3, 64, 64))
    assert layer_names(encoder.layers) == 5 * ["Conv2d", "BatchNorm", "LeakyReLU"] + [
        "Conv2d",
        "LeakyReLU",
        "Flatten",
    ]
    sides = [side for _, side, _ in output_shapes(encoder.eval(), torch.zeros(1, 3, 64, 64), (nn.Conv2d,))]
    assert sides == [32, 16, 8, 4, 2, 1]
    sides = [side for _, side, _ in output_shapes(decoder.eval(), torch.zeros(1, 32), (nn.ConvTranspose2d,))]
    assert sides == [2, 4, 8, 16, 32, 64]


@pytest.mark.parametrize(("channels", "kernels"), [([8], [4, 4]), ([8], [5])])
def test_invalid_kernels_are_rejected(channels, kernels):
    with pytest.raises(
        UserError, match=rf"model.network.kernels=.*must be {len(channels)} kernel sizes, each 3 or 4\. Set one"
    ):
        Conv(channels=channels, kernels=kernels, hidden_dims=[], activation="ReLU", batch_norm=False)
