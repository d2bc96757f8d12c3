"""Tests that hold for every network."""

import itertools

import pytest
import torch
from network_layers import configured_network

from vae_lightning.errors import UserError
from vae_lightning.networks import MLP, Burgess, Conv, ResNet

CONV = Conv()
CELEBA = configured_network("celeba")
BURGESS = Burgess()
SMALL_RESNET = ResNet(channels=[4, 6, 8], blocks=2, attention=True)


@pytest.mark.parametrize("network", [CONV, BURGESS, SMALL_RESNET], ids=["conv", "burgess", "resnet"])
def test_condition_is_appended_as_planes(network):
    """vae-cvae-mnist, section 3.2.1: the encoder receives (1 + 10) x 28 x 28."""
    encoder = network.encoder((1, 28, 28), 10)
    x, condition = torch.rand(2, 1, 28, 28), torch.eye(10)[[3, 7]]
    planes = condition.view(2, 10, 1, 1).expand(2, 10, 28, 28)
    assert torch.equal(encoder(x, condition), encoder.layers(torch.cat([x, planes], dim=1)))


SIDES = (4, 5, 7, 8, 28, 31, 64)
ANY_SHAPE = {
    "mlp": MLP(),
    "conv": Conv(channels=[4, 8], kernels=[4, 3], hidden_dims=[16], activation="LeakyReLU", batch_norm=True),
    "burgess": Burgess(width=4, hidden_dims=[16]),
    "resnet": SMALL_RESNET,
}


@pytest.mark.parametrize("network", ANY_SHAPE.values(), ids=ANY_SHAPE)
@pytest.mark.parametrize("shape", [(c, h, w) for c in (1, 3) for h, w in itertools.product(SIDES, SIDES[::3])], ids=str)
def test_any_image_shape_is_restored(network, shape):
    encoder = network.encoder(shape, 2)
    assert encoder(torch.zeros(2, *shape), torch.zeros(2, 2)).shape == (2, encoder.num_features)
    assert network.decoder(5, shape)(torch.zeros(2, 5)).shape == (2, *shape)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        *((network, (1, 28, 28)) for network in ANY_SHAPE.values()),
        *((network, (1, 28, 28)) for network in (CONV, BURGESS, ResNet())),
        *((CELEBA, (3, 64, 64)), (SMALL_RESNET, (1, 1, 1))),
    ],
    ids=[*ANY_SHAPE, "default_conv", "default_burgess", "default_resnet", "celeba", "resnet_one_pixel"],
)
def test_gradients_reach_every_parameter(network, shape, batch):
    """In training mode, even for a batch of one image: no layer normalizes a single value."""
    torch.manual_seed(0)
    encoder, decoder = network.encoder(shape, 2), network.decoder(5, shape)
    features, images = encoder(torch.rand(batch, *shape), torch.randn(batch, 2)), decoder(torch.randn(batch, 5))
    for module, out in ((encoder, features), (decoder, images)):
        (out * torch.randn_like(out)).sum().backward()
        largest = {name: p.grad.abs().max().item() for name, p in module.named_parameters()}
        assert min(largest.values()) > 2e-5, largest


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (CONV, (1, 3, 28), r"3 x 28 are too small to be halved 3 times\. .* set model/network=mlp"),
        (CELEBA, (3, 64, 63), r"64 x 63 are too small to be halved 6 times\. .* set model/network=mlp"),
        (BURGESS, (1, 28, 3), r"28 x 3 are too small; each side must be at least 4\. Set model/network=mlp"),
    ],
    ids=["conv", "celeba", "burgess"],
)
def test_small_images_are_rejected(network, shape, message):
    for build in (lambda: network.encoder(shape, 0), lambda: network.decoder(2, shape)):
        with pytest.raises(UserError, match=message) as error:
            build()
        assert "\n" not in str(error.value)
