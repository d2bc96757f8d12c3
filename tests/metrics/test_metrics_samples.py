"""Image quality of known errors, and distances of known Gaussians."""

import math

import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from vae_lightning.errors import UserError
from vae_lightning.metrics import classifier_score, fid, image_quality, kid
from vae_lightning.metrics.samples import Inception, ssim_kernel


def test_image_quality_of_known_errors():
    x = torch.full((2, 1, 28, 28), 0.5)
    x_hat = x + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    quality = image_quality(x, x_hat)
    torch.testing.assert_close(quality.mse, torch.tensor([0.01, 0.0001]), rtol=1e-4, atol=0)
    torch.testing.assert_close(quality.psnr, torch.tensor([20.0, 40.0]), rtol=1e-4, atol=0)
    c1 = 0.01**2  # the SSIM of two constant images is (2 μ ν + c1) / (μ² + ν² + c1)
    torch.testing.assert_close(quality.ssim[0].item(), (2 * 0.5 * 0.6 + c1) / (0.25 + 0.36 + c1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 11, 12), (1, 8, 8), (1, 5, 9), (1, 3, 3)])
def test_image_quality_of_identical_images_of_any_size(shape):
    x = torch.rand(4, *shape)
    quality = image_quality(x, x)
    torch.testing.assert_close(quality.ssim, torch.ones(4))
    assert image_quality(x, 1 - x).ssim.max() < 0.9
    assert [len(values) for values in quality] == [4, 4, 4]


@pytest.mark.parametrize("shape", [(1, 1, 20), (3, 2, 2)])
def test_images_smaller_than_the_smallest_window_have_no_ssim(shape):
    x = torch.rand(4, *shape)
    quality = image_quality(x, 1 - x)
    assert quality.ssim is None
    torch.testing.assert_close(quality.mse, (1 - 2 * x).square().mean((1, 2, 3)))


def test_ssim_kernel_is_the_largest_odd_size_that_fits():
    assert [ssim_kernel(side) for side in (3, 4, 8, 9, 10, 11, 64)] == [3, 3, 7, 9, 9, 11, 11]


def test_distances_of_known_gaussians():
    """The FID between N(0, I) and N(m, I) is |m|²."""
    torch.manual_seed(0)
    real, generated = torch.randn(2, 4000, 4)
    assert fid(real, generated + 1) == pytest.approx(4.0, abs=0.2)
    assert fid(real, generated) < 0.02
    assert fid(real, real) == pytest.approx(0.0, abs=1e-5)
    assert abs(kid(real, generated).mean) < 0.1 < kid(real, generated + 1).mean


class Network(nn.Sequential):
    num_features = 6


def test_distances_equal_those_of_torchmetrics_with_the_network():
    torch.manual_seed(0)
    network = Network(nn.Flatten(), nn.Linear(16, 6), nn.Tanh()).requires_grad_(False)
    real, generated = torch.rand(2, 300, 1, 4, 4)
    generated = generated.square()
    expected_fid = FrechetInceptionDistance(feature=network)
    with pytest.warns(UserWarning, match="will save all extracted features"):
        expected_kid = KernelInceptionDistance(feature=network, subsets=100, subset_size=150)
    for images, is_real in ((real, True), (generated, False)):
        for batch in images.split(70):
            expected_fid.update(batch, real=is_real)
            expected_kid.update(batch, real=is_real)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        mean, std = expected_kid.compute()
    features = network(real), network(generated)
    assert fid(*features) == pytest.approx(expected_fid.compute().item(), rel=1e-4)
    assert fid(*features) > 0.01
    assert kid(*features, seed=3) == pytest.approx((mean.item(), std.item()), rel=1e-4)


def test_classifier_score_of_known_predictions():
    """With two equally frequent classes it is exp(log 2 - H), where H is the entropy of each prediction."""
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert classifier_score(p.log()) == pytest.approx(2 * math.exp(-entropy))
    assert classifier_score(p[:1].log().expand(7, 2)) == pytest.approx(1)
    assert classifier_score(200.0 * torch.eye(5)) == pytest.approx(5)


def test_inception_without_torch_fidelity_raises(monkeypatch):
    monkeypatch.setattr("vae_lightning.metrics.samples.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install torch-fidelity, or use --features classifier"):
        Inception()


def test_inception_rounds_images_to_8_bits(monkeypatch):
    monkeypatch.setattr(Inception, "__init__", lambda self: nn.Module.__init__(self))
    inception = Inception()
    inception.network = nn.Identity()
    x = torch.tensor([0.0, 1.6, 254.4, 255.0]).view(1, 1, 2, 2) / 255
    assert inception(x).flatten(2)[0].tolist() == [[0, 2, 254, 255]] * 3
