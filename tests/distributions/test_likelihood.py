"""Tests of properties of all likelihoods, and of the Bernoulli against torch.distributions."""

import copy

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli

from vae_lightning.distributions import (
    MSSSIM,
    Bernoulli,
    ContinuousBernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
    Laplace,
    LogCosh,
)
from vae_lightning.distributions.likelihoods.scale import SCALE_TYPES

OUTPUT = torch.linspace(-4, 4, 2 * 3 * 4 * 4).view(2, 3, 4, 4)
X = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))

LIKELIHOODS = {
    "bernoulli": Bernoulli(),
    "continuous_bernoulli": ContinuousBernoulli(),
    "discretized_logistic": DiscretizedLogistic(scale=0.1),
    "discretized_logistic_mixture": DiscretizedLogisticMixture(num_components=2),
    "log_cosh": LogCosh(),
    "log_cosh-pixel": LogCosh(scale_type="pixel"),
    "ms_ssim": MSSSIM(window_size=3),
    **{
        f"gaussian-{scale_type}": Gaussian(sigma=0.1, scale_type=scale_type, image_shape=(3, 4, 4))
        for scale_type in SCALE_TYPES
    },
    **{
        f"laplace-{scale_type}": Laplace(scale=0.1, scale_type=scale_type, image_shape=(3, 4, 4))
        for scale_type in SCALE_TYPES
    },
}
OUTPUTS_SCALE = {"gaussian-pixel", "laplace-pixel", "log_cosh-pixel", "discretized_logistic"}
WITHOUT_INDEPENDENT_PIXELS = ("discretized_logistic_mixture", "ms_ssim")
OF_8_BITS = ["discretized_logistic", "discretized_logistic_mixture"]


@pytest.fixture(params=LIKELIHOODS)
def likelihood(request):
    return copy.deepcopy(LIKELIHOODS[request.param])


@pytest.fixture(params=[name for name in LIKELIHOODS if name not in WITHOUT_INDEPENDENT_PIXELS])
def independent_pixels(request):
    return copy.deepcopy(LIKELIHOODS[request.param])


def test_values_per_pixel_is_2_if_the_decoder_outputs_the_scale():
    assert {name for name, likelihood in LIKELIHOODS.items() if likelihood.values_per_pixel == 2} == OUTPUTS_SCALE
    assert {likelihood.values_per_pixel for likelihood in LIKELIHOODS.values()} == {1, 2}


def test_only_the_discretized_logistics_are_of_8_bit_images():
    assert [name for name, likelihood in LIKELIHOODS.items() if likelihood.eight_bit] == OF_8_BITS


def decoder_output(likelihood) -> torch.Tensor:
    """Return a decoder's output for two RGB images, which rises from image 0 to image 1."""
    return OUTPUT.repeat(1, 7, 1, 1)[:, : likelihood.output_channels(3)]


@pytest.mark.parametrize("training", [True, False])
def test_mean_is_an_image_and_log_prob_has_one_value_per_image(likelihood, training):
    px = likelihood.train(training)(decoder_output(likelihood))
    assert px.mean.shape == X.shape
    assert px.mean.min() >= 0
    assert px.mean.max() <= 1
    assert px.mean[0].mean() < 0.5 < px.mean[1].mean()  # OUTPUT rises from image 0 to image 1
    assert px.log_prob(X).shape == (2,)


def test_log_prob_and_gradient_are_finite_and_exact_at_extreme_outputs(likelihood):
    """In float32, compared with float64, for all combinations of outputs and gray values."""
    extremes = torch.tensor([0, 1e-8, 1e-3, 0.49, 0.51, 1, 17, 100, 1e3, 1e5])
    values = torch.cat([extremes, -extremes])
    grid = torch.cartesian_prod(values, values, torch.tensor([0, 1 / 255, 128 / 255, 1]))
    output, x = grid[:, : likelihood.values_per_pixel, None, None], grid[:, 2:, None, None]
    if isinstance(likelihood, DiscretizedLogisticMixture):  # all 20 values, in the other order for component 2
        output, x = torch.cat([grid[:, :2]] * 5 + [grid[:, [1, 0]]] * 5, dim=1)[..., None, None], x.expand(-1, 3, 1, 1)
    elif likelihood.values_per_pixel == 1:  # three equal channels, since each may have its own scale
        size = 3 if isinstance(likelihood, MSSSIM) else 1  # that of the window
        output, x = output.expand(-1, 3, size, size), x.expand(-1, 3, size, size)
    output = output.clone().requires_grad_()
    log_prob = copy.deepcopy(likelihood)(output).log_prob(x)
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert output.grad.isfinite().all()
    expected = likelihood.double()(output.detach().double()).log_prob(x.double())
    torch.testing.assert_close(log_prob.detach().double(), expected, rtol=1e-5, atol=3e-3)


def test_state_dict_restores_the_likelihood(likelihood):
    output = decoder_output(likelihood)
    other = copy.deepcopy(likelihood)
    likelihood(output).log_prob(X)  # updates a running average
    with torch.no_grad():
        for parameter in likelihood.parameters():
            parameter.normal_()
    other.load_state_dict(likelihood.state_dict())
    assert torch.equal(other.eval()(output).log_prob(X), likelihood.eval()(output).log_prob(X))


# ------------------------------------------------------------------ Bernoulli


def test_bernoulli_equals_torch_on_binary_images():
    binary = X.round()
    expected = TorchBernoulli(logits=OUTPUT).log_prob(binary).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli()(OUTPUT).log_prob(binary), expected)


def test_bernoulli_on_gray_images_is_the_cross_entropy():
    p = torch.sigmoid(OUTPUT.double())
    expected = (X * p.log() + (1 - X) * (1 - p).log()).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli()(OUTPUT).log_prob(X), expected.float())


def test_bernoulli_is_exact_at_extreme_logits():
    """A sigmoid followed by a logarithm would return -inf; with a clamp, -100."""
    px = Bernoulli()(torch.full((1, 1, 1, 1), 200.0))
    assert px.log_prob(torch.zeros(1, 1, 1, 1)).item() == -200
    assert px.log_prob(torch.ones(1, 1, 1, 1)).item() == 0


def test_missing_pixels_are_left_out_of_the_sum(independent_pixels):
    px = independent_pixels.eval()(decoder_output(independent_pixels))
    mask = torch.rand(X.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    log_p = px.pixel_log_prob(X)
    assert log_p.shape == X.shape
    torch.testing.assert_close(
        px.log_prob(X, mask), torch.stack([p[m].sum() for p, m in zip(log_p, mask, strict=True)])
    )
    torch.testing.assert_close(px.log_prob(X, torch.ones_like(mask)), px.log_prob(X))
    assert px.log_prob(X.where(mask, torch.nan), mask).isfinite().all()


@pytest.mark.parametrize("output", [-3.0, 0.0, 0.5])
def test_samples_have_the_distribution_of_log_prob(independent_pixels, output):
    """The fraction of samples below several values, compared with a sum or an integral of the probabilities."""
    likelihood = independent_pixels
    n = 20_000
    torch.manual_seed(0)
    outputs = torch.full((n, likelihood.values_per_pixel * 3, 1, 1), output)
    samples = likelihood.eval()(outputs).sample()[:, 0].flatten()
    if isinstance(likelihood, Bernoulli):
        values, width = torch.arange(2.0), 1.0
    elif isinstance(likelihood, DiscretizedLogistic):
        values, width = torch.arange(256.0) / 255, 1.0
    else:
        low, high = (0, 1) if isinstance(likelihood, ContinuousBernoulli) else (-4, 5)
        values, width = (torch.arange(n) + 0.5) / n * (high - low) + low, (high - low) / n
    x = values.view(-1, 1, 1, 1).expand(-1, 3, 1, 1)
    mass = likelihood(outputs[: len(x)]).pixel_log_prob(x)[:, 0].flatten().double().exp() * width
    assert mass.sum().item() == pytest.approx(1, abs=1e-3)
    for threshold in samples.quantile(torch.tensor([0.1, 0.5, 0.9])):
        expected = mass[values <= threshold].sum().item()
        assert (samples <= threshold).double().mean().item() == pytest.approx(expected, abs=0.015)
