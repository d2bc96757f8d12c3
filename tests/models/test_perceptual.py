"""Tests of the distance in the features of a fixed network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms.functional import normalize

from vae_lightning.errors import UserError
from vae_lightning.models.perceptual import RandomFeatureDistance, VGGFeatureDistance, build_perceptual_distance


def test_perceptual_distance_is_that_of_normalized_features():
    """Zhang et al. 2018, Eq. 1, position by position in float64."""
    torch.manual_seed(0)
    distance = RandomFeatureDistance(2).double()
    x, y = torch.rand(2, 3, 2, 5, 7, dtype=torch.float64)
    expected = torch.zeros(3, dtype=torch.float64)
    maps = [2 * x - 1, 2 * y - 1]
    for stride, weight in zip((1, 2, 2), distance.buffers(), strict=True):
        maps = [F.conv2d(m, weight, stride=stride, padding=1).clamp_min(0) for m in maps]
        height, width = maps[0].shape[2:]
        for h in range(height):
            for w in range(width):
                a, b = (m[:, :, h, w] / m[:, :, h, w].norm(dim=1, keepdim=True) for m in maps)
                expected += (2 - 2 * (a * b).sum(1)) / (height * width)
    torch.testing.assert_close(distance(x, y), expected)
    torch.testing.assert_close(distance(y, x), expected)
    assert torch.equal(distance(x, x), torch.zeros_like(expected))


def test_perceptual_distance_of_black_and_white_at_one_pixel_is_2_in_the_first_layer(monkeypatch):
    """The features max(0, w) and max(0, -w) are orthogonal."""
    monkeypatch.setattr("vae_lightning.models.perceptual.FEATURE_CHANNELS", (32,))
    distance = RandomFeatureDistance(1)
    assert distance(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)).item() == pytest.approx(2)


def test_random_features_are_the_same_in_every_run_and_not_trained():
    before = torch.get_rng_state()
    first, second = RandomFeatureDistance(3), RandomFeatureDistance(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.buffers(), second.buffers(), strict=True))
    assert not list(first.parameters())
    assert len(first.state_dict()) == 3


@pytest.fixture
def vgg(monkeypatch):
    """Make the first layers of VGG-19 with random weights the file that is downloaded, and return them."""
    torch.manual_seed(0)
    layers = make_layers(cfgs["E"][:8], batch_norm=False)
    weights = {f"features.{name}": value for name, value in layers.state_dict().items()}
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: weights)
    return layers


@pytest.mark.parametrize("channels", [1, 3])
def test_features_of_vgg_are_those_of_torchvision(channels, vgg):
    x = torch.rand(2, channels, 9, 8)
    distance = VGGFeatureDistance((channels, 9, 8))
    images = normalize(x.expand(-1, 3, -1, -1), mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    for maps, depth in zip(distance.layers(x), (2, 7, 12), strict=True):
        torch.testing.assert_close(maps, vgg[:depth](images))
    assert not list(distance.parameters())
    assert len(distance.state_dict()) == 10


def test_weights_of_vgg_come_from_the_checkpoint_if_there_is_one(vgg, monkeypatch):
    first, second = (VGGFeatureDistance((1, 8, 8)) for _ in range(2))
    x, y = torch.rand(2, 3, 1, 8, 8)
    expected = first(x, y)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: pytest.fail("downloaded again"))
    nn.ModuleDict({"part": second}).load_state_dict(nn.ModuleDict({"part": first}).state_dict())
    torch.testing.assert_close(second(x, y), expected)
    second.load_state_dict(VGGFeatureDistance((1, 8, 8)).state_dict())
    assert not second.is_loaded


def test_failed_download_of_vgg_is_reported(monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fail)
    with pytest.raises(UserError, match=r"^model.features=vgg19: .* downloaded \(no route to host\)\."):
        VGGFeatureDistance((1, 8, 8))(*torch.rand(2, 1, 1, 8, 8))


@pytest.mark.parametrize(
    ("features", "shape", "message"),
    [
        ("vgg16", (1, 8, 8), "^model.features=vgg16: not a valid choice"),
        ("vgg19", (2, 8, 8), "^model.features=vgg19: requires images of 1 or 3 channels and at least 4 x 4 pixels"),
        ("vgg19", (3, 8, 3), "^model.features=vgg19: requires .* got 3 x 8 x 3. Set model.features=random.$"),
    ],
)
def test_unsupported_features_raise(features, shape, message):
    with pytest.raises(UserError, match=message):
        build_perceptual_distance(features, shape)


def test_a_uniform_image_has_a_finite_distance_and_gradient():
    x = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    distance = RandomFeatureDistance(1)(torch.rand(1, 1, 8, 8), x).sum()
    distance.backward()
    assert distance.isfinite()
    assert x.grad.isfinite().all()
