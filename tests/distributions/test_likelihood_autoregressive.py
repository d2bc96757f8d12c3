"""Tests of the autoregressive likelihood, whose probabilities sum to 1 over all images."""

import itertools

import pytest
import torch

from vae_lightning.distributions import (
    MSSSIM,
    Autoregressive,
    Bernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
)
from vae_lightning.errors import UserError
from vae_lightning.models import VAE, VAEGAN
from vae_lightning.networks import MLP
from vae_lightning.networks.pixel_cnn import PixelCNN


def build(image_shape=(1, 3, 3), scale: float = 1.0, **options) -> Autoregressive:
    """Build a likelihood with weights that are large enough for every connection to count."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        likelihood = Autoregressive(image_shape=image_shape, context_channels=2, width=8, **options).double()
        for parameter in likelihood.network.parameters():
            torch.nn.init.normal_(parameter, std=scale)
    return likelihood


def context(n: int, height: int, width: int) -> torch.Tensor:
    return torch.randn(n, 2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_probabilities_of_all_binary_images_sum_to_1():
    images = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9)), dtype=torch.float64).view(-1, 1, 3, 3)
    likelihood = build(pixels=Bernoulli(), scale=0.4)
    px = likelihood(context(1, 3, 3).expand(len(images), -1, -1, -1))
    probabilities = px.log_prob(images).exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-12)
    assert probabilities.std() > 1e-3


def test_probabilities_of_all_pairs_of_gray_pixels_sum_to_1():
    levels = torch.arange(256, dtype=torch.float64) / 255
    pairs = torch.cartesian_prod(levels, levels).view(-1, 1, 2, 1)
    for pixels in (DiscretizedLogistic(), DiscretizedLogisticMixture(num_components=2)):
        likelihood = build((1, 2, 1), pixels=pixels)
        px = likelihood(context(1, 2, 1).expand(len(pairs), -1, -1, -1))
        assert px.log_prob(pairs).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("layers", "kernel_size"), [(1, 3), (2, 3), (1, 5)])
def test_a_pixel_sees_exactly_the_pixels_before_it_within_the_radius(layers, kernel_size):
    """Without the blind spot of stacked masks, and the context of its own position and of those it sees."""
    torch.manual_seed(0)
    size, radius = 11, layers * (kernel_size // 2) + 1
    network = PixelCNN(torch.nn.Conv2d(1, 8, 1), 2, 1, width=8, layers=layers, kernel_size=kernel_size).double()
    x, maps = torch.rand(1, 1, size, size, dtype=torch.float64), context(1, size, size)
    row = column = 5
    (gradient,) = torch.autograd.grad(network(x.requires_grad_(), maps)[0, 0, row, column], x)
    i, j = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    above = (i < row) & (i >= row - radius) & ((j - column).abs() <= radius - 1)
    left = (i == row) & (j < column) & (j >= column - radius)
    torch.testing.assert_close(gradient[0, 0] != 0, above | left)


def test_log_prob_is_the_sum_over_pixels_given_those_before():
    """Pixel by pixel, from images that are equal up to it and differ after it."""
    likelihood = build((3, 4, 5), pixels=DiscretizedLogisticMixture(num_components=2), scale=0.3)
    output = context(2, 4, 5)
    x = torch.randint(256, (2, 3, 4, 5)).double() / 255
    total = torch.zeros(2, dtype=torch.float64)
    for i, j in itertools.product(range(4), range(5)):
        seen = torch.rand_like(x)
        seen.flatten(2)[:, :, : 5 * i + j] = x.flatten(2)[:, :, : 5 * i + j]
        parameters = likelihood.network(seen, output)[:, :, i : i + 1, j : j + 1]
        total += likelihood.pixels(parameters).log_prob(x[:, :, i : i + 1, j : j + 1])
    torch.testing.assert_close(likelihood(output).log_prob(x), total)


@pytest.mark.parametrize(
    ("size", "layers", "kernel_size"), [((6, 7), 1, 3), ((6, 7), 2, 3), ((6, 7), 3, 5), ((2, 1), 2, 5)]
)
def test_images_are_filled_with_the_distributions_of_one_pass(size, layers, kernel_size):
    """The distribution that a pixel was drawn from is that of `log_prob` for the finished image."""
    likelihood = build((3, *size), pixels=DiscretizedLogistic(), scale=0.3, layers=layers, kernel_size=kernel_size)
    px = likelihood(context(2, *size))
    means = []

    def choose(pixel):
        means.append(pixel.mean)
        return pixel.sample()

    images = px.fill(choose)
    expected = likelihood.pixels(likelihood.network(images, px.context)).mean
    torch.testing.assert_close(torch.cat(means, dim=2).view(2, 3, *size), expected)


def test_frequencies_of_draws_are_their_probabilities():
    likelihood = build((1, 2, 2), pixels=Bernoulli(), scale=0.5)
    n = 20_000
    torch.manual_seed(0)
    draws = likelihood(context(1, 2, 2).expand(n, -1, -1, -1)).sample().flatten(1)
    images = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64)
    counts = (draws[:, None] == images).all(2).double().sum(0)
    p = likelihood(context(1, 2, 2).expand(16, -1, -1, -1)).log_prob(images.view(16, 1, 2, 2)).exp()
    deviation = (counts - n * p) / (n * p * (1 - p)).sqrt()
    assert deviation.abs().max() < 4
    assert p.max() > 3 * p.min()


def test_frequencies_of_draws_of_the_mixture_are_its_masses():
    """Of two channels, of which the second depends on the first."""
    output = torch.tensor([0.3, 1.0, -0.5, -2.0, -2.5, 0.8, -0.7, -1.0, 0.7, -2.0, -1.5, -0.9]).double()
    likelihood = DiscretizedLogisticMixture(num_components=2)
    n, bins = 40_000, 4
    torch.manual_seed(0)
    draws = likelihood(output.view(1, -1, 1, 1).expand(n, -1, 1, 1)).sample().flatten(1)
    levels = torch.arange(256).double() / 255
    pairs = torch.cartesian_prod(levels, levels)
    masses = likelihood(output.view(1, -1, 1, 1).expand(len(pairs), -1, 1, 1)).log_prob(pairs[:, :, None, None]).exp()

    def cells(values: torch.Tensor) -> torch.Tensor:
        low = (values * 255).round().long() // (256 // bins)
        return bins * low[:, 0] + low[:, 1]

    p = torch.zeros(bins**2, dtype=torch.float64).index_add(0, cells(pairs), masses)
    counts = torch.bincount(cells(draws), minlength=bins**2)
    assert ((counts - n * p) / (n * p * (1 - p)).sqrt().clamp(min=1)).abs().max() < 4
    torch.testing.assert_close(draws * 255, (draws * 255).round())


def vae(**options) -> VAE:
    torch.manual_seed(0)
    likelihood = Autoregressive(image_shape=(1, 4, 4), width=8, **options)
    return VAE(image_shape=(1, 4, 4), latent_dim=2, network=MLP(hidden_dims=[8]), likelihood=likelihood).eval()


def test_samples_are_draws_that_the_generator_determines():
    model = vae(pixels=Bernoulli())
    draws = [model.sample(8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert set(draws[0].unique().tolist()) == {0, 1}
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    x = torch.rand(2, 1, 4, 4)
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))


def test_thousands_of_images_are_evaluated_in_blocks():
    likelihood = build((1, 2, 2), pixels=Bernoulli())
    output, x = context(1500, 2, 2), torch.rand(1500, 1, 2, 2).double().round()
    expected = likelihood.pixels(likelihood.network(x, output)).log_prob(x)
    torch.testing.assert_close(likelihood(output).log_prob(x), expected)


def test_bits_per_dim_are_defined_if_pixels_have_8_bits():
    assert Autoregressive(image_shape=(1, 4, 4)).eight_bit
    assert not Autoregressive(image_shape=(1, 4, 4), pixels=Bernoulli()).eight_bit


@pytest.mark.parametrize("pixels", [MSSSIM(), Gaussian(scale_type="optimal"), Autoregressive(image_shape=(1, 4, 4))])
def test_what_is_no_distribution_of_a_pixel_raises(pixels):
    with pytest.raises(UserError, match="cannot be the distribution of a single pixel"):
        Autoregressive(image_shape=(1, 4, 4), pixels=pixels)


def test_models_that_compare_decoded_images_raise():
    with pytest.raises(UserError, match="VAEGAN requires the gradient of decoded images"):
        VAEGAN(image_shape=(1, 28, 28), likelihood=Autoregressive(image_shape=(1, 28, 28)))


def test_the_context_of_a_pixel_reaches_it_in_one_layer():
    network = PixelCNN(torch.nn.Conv2d(1, 4, 1), 2, 3, width=4, layers=1, kernel_size=3)
    context = torch.randn(1, 2, 4, 4, requires_grad=True)
    network(torch.rand(1, 1, 4, 4), context)[0, :, 1, 2].sum().backward()
    assert (context.grad[0, :, 1, 2] != 0).all()
