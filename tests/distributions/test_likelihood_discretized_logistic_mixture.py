"""Tests of the mixture of discretized logistics, whose masses sum to 1 over all images."""

import math

import pytest
import torch
import torch.nn.functional as F

from vae_lightning.distributions import DiscretizedLogistic, DiscretizedLogisticMixture
from vae_lightning.distributions.likelihoods.discretized_logistic import MIN_SCALE
from vae_lightning.errors import UserError

LEVELS = torch.arange(256) / 255


def pixel(values: torch.Tensor, n: int) -> torch.Tensor:
    """Repeat the decoder's output for one pixel, (1, channels), for n images of one pixel, (n, channels, 1, 1)."""
    return values.expand(n, -1)[:, :, None, None]


def random_output(channels: int, num_components: int = 3, seed: int = 0) -> torch.Tensor:
    """Return a decoder's output for one pixel with sharp and wide components, (1, channels)."""
    n = DiscretizedLogisticMixture(num_components=num_components).output_channels(channels)
    return 2 * torch.randn(1, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_decoder_outputs_10_values_per_component_for_rgb_and_3_for_gray():
    likelihood = DiscretizedLogisticMixture(num_components=5)
    assert [likelihood.output_channels(c) for c in (1, 2, 3)] == [15, 30, 50]
    px = likelihood(torch.zeros(2, 50, 4, 4))
    assert px.location.shape == px.log_scale.shape == px.slope.shape == (2, 5, 3, 4, 4)
    assert px.log_prob(torch.zeros(2, 3, 4, 4)).shape == (2,)


@pytest.mark.parametrize("seed", range(3))
def test_masses_of_all_gray_values_sum_to_1(seed):
    px = DiscretizedLogisticMixture(num_components=3)(pixel(random_output(1, seed=seed), 256))
    assert px.log_prob(LEVELS.double().view(256, 1, 1, 1)).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_masses_of_all_pairs_of_values_of_two_channels_sum_to_1(seed):
    pairs = torch.cartesian_prod(LEVELS, LEVELS).double()[:, :, None, None]
    px = DiscretizedLogisticMixture(num_components=3)(pixel(random_output(2, seed=seed), len(pairs)))
    assert px.log_prob(pairs).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_chain_rule_over_rgb():
    """Summed over all values of blue, p(r, g, b) is p(r, g), that of two channels; summed over green, p(r)."""
    k = 3
    output = random_output(3, k).view(k, 10)  # weight, 3 locations, 3 scales, 3 slopes
    two = output[:, [0, 1, 2, 4, 5, 7]].reshape(1, -1)
    one = output[:, [0, 1, 4]].reshape(1, -1)
    likelihood = DiscretizedLogisticMixture(num_components=k)
    for red, green in ((0, 255), (30, 200), (128, 127)):
        rgb = torch.tensor([red, green, 0]).double().repeat(256, 1) / 255
        rgb[:, 2] = LEVELS
        of_three = likelihood(pixel(output.view(1, -1), 256)).log_prob(rgb[:, :, None, None]).exp().sum()
        of_two = likelihood(pixel(two, 1)).log_prob(rgb[:1, :2, None, None]).exp()
        assert of_three.item() == pytest.approx(of_two.item(), rel=1e-10)
        rgb[:, 1] = LEVELS
        of_two = likelihood(pixel(two, 256)).log_prob(rgb[:, :2, None, None]).exp().sum()
        of_one = likelihood(pixel(one, 1)).log_prob(rgb[:1, :1, None, None]).exp()
        assert of_two.item() == pytest.approx(of_one.item(), rel=1e-10)


def test_log_prob_equals_the_formula_of_the_paper():
    """Differences of sigmoids, component by component and channel by channel, for values other than 0 and 255."""
    k, log_scale_0 = 2, math.log(0.1)
    output = torch.randn(k, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.tensor([77, 130, 20], dtype=torch.float64) / 255
    weights = F.softmax(output[:, 0], dim=0)
    total = 0.0
    for weight, (_, *values) in zip(weights, output, strict=True):
        m, slopes = [v.sigmoid() for v in values[:3]], [v.tanh() for v in values[6:]]
        m[1] = m[1] + slopes[0] * (x[0] - 0.5)
        m[2] = m[2] + slopes[1] * (x[0] - 0.5) + slopes[2] * (x[1] - 0.5)
        for value, mean, offset in zip(x, m, values[3:6], strict=True):
            s = torch.exp(log_scale_0 + offset)
            weight = weight * (
                torch.sigmoid((value + 0.5 / 255 - mean) / s) - torch.sigmoid((value - 0.5 / 255 - mean) / s)
            )
        total += weight.item()
    px = DiscretizedLogisticMixture(num_components=k)(output.view(1, -1, 1, 1))
    assert px.log_prob(x.view(1, 3, 1, 1)).item() == pytest.approx(math.log(total), rel=1e-4)  # s has a floor


def test_one_component_without_coupling_is_the_discretized_logistic():
    location, offset = torch.randn(2, 5, 3, 4, 4)
    x = torch.randint(256, (5, 3, 4, 4)) / 255
    output = torch.cat([torch.randn(5, 1, 4, 4), location, offset, torch.zeros(5, 3, 4, 4)], dim=1)
    px = DiscretizedLogisticMixture(num_components=1)(output)
    expected = DiscretizedLogistic()(torch.cat([location, offset], dim=1))
    torch.testing.assert_close(px.log_prob(x), expected.log_prob(x))
    torch.testing.assert_close(px.mean, expected.mean)


def test_mean_is_that_of_the_masses_for_narrow_components():
    """Of two components with weights 1/4 and 3/4 that are narrow compared with their distance from black and white."""
    weights, scale = torch.tensor([0.25, 0.75]), -5.0
    logits = torch.tensor([[0.2, 0.6], [0.3, 0.4]]).logit()  # red and green of each component
    output = torch.cat(
        [weights.log()[:, None], logits, torch.full((2, 2), scale), torch.tensor([0.5, -0.5]).atanh()[:, None]], dim=1
    )
    pairs = torch.cartesian_prod(LEVELS, LEVELS)
    likelihood = DiscretizedLogisticMixture(num_components=2)
    masses = likelihood(pixel(output.view(1, -1), len(pairs))).log_prob(pairs[:, :, None, None]).exp()
    expected = masses @ pairs
    torch.testing.assert_close(likelihood(output.view(1, -1, 1, 1)).mean.flatten(), expected, rtol=0, atol=1e-3)
    green = 0.25 * (0.6 + 0.5 * (0.2 - 0.5)) + 0.75 * (0.4 - 0.5 * (0.3 - 0.5))
    assert expected[1].item() == pytest.approx(green, abs=1e-3)


def test_scale_at_the_floor_raises():
    with pytest.raises(UserError, match=r"must start above 0\.0001"):
        DiscretizedLogisticMixture(scale=MIN_SCALE)
