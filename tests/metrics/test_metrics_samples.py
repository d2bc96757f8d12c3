"""Image quality of known errors, and distances of known Gaussians."""

import pytest
import torch
from torch import nn

from vae_lightning.errors import UserError
from vae_lightning.metrics import feature_distances, image_quality
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


def test_ssim_kernel_is_the_largest_odd_size_that_fits():
    assert [ssim_kernel(side) for side in (3, 4, 8, 9, 10, 11, 64)] == [3, 3, 7, 9, 9, 11, 11]


class Pixels(nn.Flatten):
    num_features = 4


def test_feature_distances_of_known_gaussians():
    """The FID between N(0, I) and N(m, I) is |m|²."""
    torch.manual_seed(0)
    real, generated = torch.randn(2, 4000, 1, 2, 2)
    shifted = feature_distances(real.split(500), (generated + 1).split(500), Pixels(), n=4000)
    alike = feature_distances(real.split(500), generated.split(500), Pixels(), n=4000)
    same = feature_distances(real.split(500), real.split(300), Pixels(), n=4000)
    assert shifted.fid == pytest.approx(4.0, abs=0.2)
    assert alike.fid < 0.02
    assert same.fid == pytest.approx(0.0, abs=1e-5)
    assert abs(alike.kid) < 0.1 < shifted.kid


def test_inception_without_torch_fidelity_raises(monkeypatch):
    monkeypatch.setattr("vae_lightning.metrics.samples.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install torch-fidelity, or use --features classifier"):
        Inception()
