"""Networks against the tables of the papers, and on any image shape."""

import itertools

import pytest
import torch
from conftest import ROOT
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from vae_lightning.errors import UserError
from vae_lightning.networks import Burgess, Conv, Network, ResNet


def configured(name: str) -> Network:
    """The network of conf/model/network/."""
    return instantiate(OmegaConf.load(ROOT / "conf/model/network" / f"{name}.yaml"), _convert_="all")


PAPER_CONV = configured("conv")
PAPER_MLP = configured("mlp")
CELEBA = configured("celeba")
BURGESS = configured("burgess")
SMALL_RESNET = ResNet(channels=[4, 6, 8], blocks=2, attention=True)


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


def names(layers: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in layers.children()]


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


def test_the_conv_without_its_options_is_the_stack_of_the_tables():
    """The same weights from the same seed, under the names that checkpoints have."""
    torch.manual_seed(0)
    encoder, decoder = PAPER_CONV.encoder((1, 28, 28), 0), PAPER_CONV.decoder(2, (1, 28, 28))
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


def test_the_options_of_the_conv_stand_where_they_should():
    """Batch norm between the convolutions alone, linear layers between convolutions and latent."""
    network = Conv(channels=[4, 6, 8], kernels=[4, 4, 3], hidden_dims=[20, 10], activation="ELU", batch_norm=True)
    encoder, decoder = network.encoder((3, 16, 16), 0), network.decoder(5, (3, 16, 16))
    block, last, linear = ["Conv2d", "BatchNorm2d", "ELU"], ["Conv2d", "ELU", "Flatten"], ["Linear", "ELU"]
    assert names(encoder.layers) == [*block, *block, *last, *linear, *linear]
    assert [layer.out_features for layer in encoder.layers if isinstance(layer, nn.Linear)] == [20, 10]
    assert encoder.num_features == 10
    block = ["ConvTranspose2d", "BatchNorm2d", "ELU"]
    assert names(decoder) == [*linear, *linear, *linear, "Unflatten", *block, *block, "ConvTranspose2d"]
    assert [layer.out_features for layer in decoder if isinstance(layer, nn.Linear)] == [10, 20, 8 * 2 * 2]


def test_the_celeba_network_has_six_convolutions_with_leaky_relu_and_batch_norm_in_between():
    """overview-ae-vae-beta-tcvae-celeba, section VI.A."""
    encoder, decoder = CELEBA.encoder((3, 64, 64), 0), CELEBA.decoder(32, (3, 64, 64))
    assert names(encoder.layers) == 5 * ["Conv2d", "BatchNorm2d", "LeakyReLU"] + ["Conv2d", "LeakyReLU", "Flatten"]
    sides = [side for _, side, _ in output_shapes(encoder.eval(), torch.zeros(1, 3, 64, 64), (nn.Conv2d,))]
    assert sides == [32, 16, 8, 4, 2, 1]
    sides = [side for _, side, _ in output_shapes(decoder.eval(), torch.zeros(1, 32), (nn.ConvTranspose2d,))]
    assert sides == [2, 4, 8, 16, 32, 64]


def test_the_burgess_network_is_that_of_the_appendix():
    """Burgess et al. 2018: for 64 x 64, four convolutions of 32 channels, two linear layers of 256; the reverse."""
    encoder, decoder = BURGESS.encoder((1, 64, 64), 0), BURGESS.decoder(10, (1, 64, 64))
    convolutions = [(32, side, side) for side in (32, 16, 8, 4)]
    shapes = output_shapes(encoder, torch.zeros(1, 1, 64, 64), (nn.Conv2d, nn.Linear))
    assert shapes == [*convolutions, (256,), (256,)]
    shapes = output_shapes(decoder, torch.zeros(1, 10), (nn.Linear, nn.ConvTranspose2d))
    assert shapes == [(256,), (256,), (512,), *convolutions[-2::-1], (1, 64, 64)]
    convolutions = 3 * (16 * 32 * 32 + 32)
    linear = 256 * 256 + 256
    assert count(encoder) == (16 * 32 + 32) + convolutions + (512 * 256 + 256) + linear
    assert count(decoder) == (10 * 256 + 256) + linear + (256 * 512 + 512) + convolutions + (16 * 32 + 1)


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
def test_the_burgess_network_halves_the_smaller_side_to_four_or_less(sides, halvings, smallest):
    conv = BURGESS.conv((1, *sides))
    assert conv.kernels == [4] * halvings
    assert min(conv.shapes((1, *sides))[-1][1:]) == smallest


@pytest.mark.parametrize("network", [PAPER_CONV, BURGESS, SMALL_RESNET], ids=["conv", "burgess", "resnet"])
def test_the_label_joins_the_image_as_planes(network):
    """vae-cvae-mnist, section 3.2.1: the encoder receives (1 + 10) x 28 x 28."""
    encoder = network.encoder((1, 28, 28), 10)
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
ANY_SHAPE = {
    "mlp": PAPER_MLP,
    "conv": Conv(channels=[4, 8], kernels=[4, 3], hidden_dims=[16], activation="LeakyReLU", batch_norm=True),
    "burgess": Burgess(width=4, hidden_dims=[16]),
    "resnet": SMALL_RESNET,
}


@pytest.mark.parametrize("network", ANY_SHAPE.values(), ids=ANY_SHAPE)
@pytest.mark.parametrize("shape", [(c, h, w) for c in (1, 3) for h, w in itertools.product(SIDES, SIDES[::3])], ids=str)
def test_any_image_shape_comes_back(network, shape):
    encoder = network.encoder(shape, 2)
    assert encoder(torch.zeros(2, *shape), torch.zeros(2, 2)).shape == (2, encoder.num_features)
    assert network.decoder(5, shape)(torch.zeros(2, 5)).shape == (2, *shape)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        *((network, (1, 28, 28)) for network in ANY_SHAPE.values()),
        *((network, (1, 28, 28)) for network in (PAPER_CONV, BURGESS, configured("resnet"))),
        *((CELEBA, (3, 64, 64)), (SMALL_RESNET, (1, 1, 1))),
    ],
    ids=[*ANY_SHAPE, "paper_conv", "paper_burgess", "default_resnet", "celeba", "resnet_of_a_pixel"],
)
def test_gradients_reach_every_parameter(network, shape, batch):
    """With a batch of one image as well, in training mode: no layer normalises a single number."""
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
        (PAPER_CONV, (1, 3, 28), "3 x 28 are too small to be halved 3 times; .* or model/network=mlp"),
        (CELEBA, (3, 64, 63), "64 x 63 are too small to be halved 6 times; .* or model/network=mlp"),
        (BURGESS, (1, 28, 3), "28 x 3 are too small to be halved to 2 x 2 or more; type model/network=mlp"),
    ],
    ids=["conv", "celeba", "burgess"],
)
def test_an_image_too_small_is_refused(network, shape, message):
    for build in (lambda: network.encoder(shape, 0), lambda: network.decoder(2, shape)):
        with pytest.raises(UserError, match=message) as refused:
            build()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("channels", "kernels"), [([8], [4, 4]), ([8], [5])])
def test_kernels_that_do_not_fit_are_refused(channels, kernels):
    with pytest.raises(UserError, match="as many kernels, each 3 or 4"):
        Conv(channels=channels, kernels=kernels, hidden_dims=[], activation="ReLU", batch_norm=False)
