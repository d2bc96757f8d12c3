"""Tests of the structural similarity against torchmetrics, and of the number of scales."""

import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from vae_lightning.distributions import MSSSIM
from vae_lightning.distributions.likelihoods.ms_ssim import SCALE_WEIGHTS, count_scales, window_sigma
from vae_lightning.errors import UserError


def images(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a decoder's output and images, (2, 1, side, side)."""
    torch.manual_seed(0)
    x = torch.rand(2, 1, side, side)
    return (x + 0.2 * torch.randn(x.shape)).clamp(0.01, 0.99).logit(), x


def test_a_perfect_reconstruction_has_no_distortion_and_the_worst_costs_the_weight():
    x = (torch.rand(2, 3, 28, 28) > 0.5).float()
    likelihood = MSSSIM(ssim_weight=2.0)
    torch.testing.assert_close(likelihood(100 * (x - 0.5)).log_prob(x), torch.zeros(2), rtol=0, atol=1e-2)
    inverted = likelihood(100 * (0.5 - x)).log_prob(x)
    assert (inverted > -2 * 3 * 28 * 28).all()
    assert (inverted < -2 * 3 * 28 * 28 * 0.9).all()


def test_five_scales_equal_torchmetrics_with_its_defaults():
    """The weights of the paper sum to 1.0001, ours to 1."""
    output, x = images(176)
    expected = multiscale_structural_similarity_index_measure(
        output.sigmoid(), x, data_range=1.0, normalize="simple", reduction="none"
    )
    torch.testing.assert_close(MSSSIM()(output).log_prob(x), -(176**2) * (1 - expected), rtol=2e-4, atol=0)


def test_two_scales_are_contrast_at_the_first_and_ssim_at_the_second():
    output, x = images(40)
    options = {"data_range": 1.0, "reduction": "none", "return_contrast_sensitivity": True}
    _, contrast = structural_similarity_index_measure(output.sigmoid(), x, **options)
    ssim, _ = structural_similarity_index_measure(F.avg_pool2d(output.sigmoid(), 2), F.avg_pool2d(x, 2), **options)
    first, second = SCALE_WEIGHTS[0] / sum(SCALE_WEIGHTS[:2]), SCALE_WEIGHTS[1] / sum(SCALE_WEIGHTS[:2])
    similarity = ((1 + contrast) / 2) ** first * ((1 + ssim) / 2) ** second
    torch.testing.assert_close(MSSSIM(ssim_weight=3.0)(output).log_prob(x), -3 * 1600 * (1 - similarity))


@pytest.mark.parametrize(
    ("side", "window", "scales"), [(11, 11, 1), (21, 11, 1), (22, 11, 2), (28, 11, 2), (44, 11, 3), (98, 11, 3),
                                   (99, 11, 4), (175, 11, 4), (176, 11, 5), (1000, 11, 5), (8, 3, 2), (19, 19, 1)]
)  # fmt: skip
def test_there_are_as_many_scales_as_fit(side, window, scales):
    assert count_scales((side, side + 5), window) == scales
    output, x = images(side)
    assert MSSSIM(window_size=window)(output).log_prob(x).isfinite().all()


@pytest.mark.parametrize("window", [3, 5, 11, 19, 21, 25, 31, 63])
def test_window_of_torchmetrics_has_the_size_asked_for(window):
    assert 2 * int(3.5 * window_sigma(window) + 0.5) + 1 == window
    assert window_sigma(11) == 1.5


def test_weights_of_the_scales_sum_to_1():
    assert sum(SCALE_WEIGHTS) == pytest.approx(1, abs=2e-4)


def test_gradient_is_finite_for_constant_and_inverted_images():
    x = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.rand(1, 8, 8).round()])
    output = torch.cat([torch.full((2, 1, 8, 8), 3.0), 100 * (0.5 - x[2:])]).requires_grad_()
    MSSSIM(window_size=3)(output).log_prob(x).sum().backward()
    assert output.grad.isfinite().all()


@pytest.mark.parametrize(
    ("size", "fix"), [((8, 20), "Set 7 or less"), ((7, 7), "Set 7 or less"), ((2, 9), "Set model/likelihood=bernoulli")]
)
def test_images_smaller_than_the_window_raise_before_the_training(size, fix):
    message = rf"^model.likelihood.window_size=11: images have only {size[0]} x {size[1]} pixels\. {fix}\.$"
    with pytest.raises(UserError, match=message):
        MSSSIM(image_shape=(3, *size))
