"""Tests of the Gaussian and Laplace likelihoods with all scale types, against torch.distributions and by hand."""

import math
from typing import NamedTuple

import pytest
import torch
from torch.distributions import Distribution, Normal
from torch.distributions import Laplace as TorchLaplace

from vae_lightning.distributions import Gaussian, Laplace, Likelihood
from vae_lightning.distributions.likelihoods.scale import MIN_SCALE
from vae_lightning.errors import UserError

SHAPE = (3, 4, 4)
OUTPUT = torch.linspace(-4, 4, 2 * 3 * 4 * 4).view(2, *SHAPE)
X = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))
ERROR = X - torch.sigmoid(OUTPUT)


class Family(NamedTuple):
    likelihood: type[Likelihood]
    scale: str  # name of the scale argument
    torch_distribution: type[Distribution]
    power: int

    def build(self, scale: float, scale_type: str = "fixed") -> Likelihood:
        return self.likelihood(**{self.scale: scale}, scale_type=scale_type, image_shape=SHAPE)

    def log_prob(self, scale, output=OUTPUT, x=X):
        return self.torch_distribution(torch.sigmoid(output), scale).log_prob(x).sum((1, 2, 3))

    def best_scale(self, error):
        """Return the root mean square or the mean absolute error."""
        return error.abs().pow(self.power).mean() ** (1 / self.power)


@pytest.fixture(params=[Family(Gaussian, "sigma", Normal, 2), Family(Laplace, "scale", TorchLaplace, 1)])
def family(request):
    return request.param


@pytest.mark.parametrize("scale", [1e-3, 0.01, 0.1, 1 / math.sqrt(2), 3.0])
def test_log_prob_equals_torch_including_the_constant(family, scale):
    torch.testing.assert_close(family.build(scale)(OUTPUT).log_prob(X), family.log_prob(scale))


def test_squared_error_is_the_negative_log_density_of_a_gaussian_with_variance_a_half():
    px = Gaussian(sigma=1 / math.sqrt(2))(OUTPUT)
    constant = X[0].numel() * 0.5 * math.log(math.pi)
    torch.testing.assert_close(-px.log_prob(X) - constant, ERROR.square().sum((1, 2, 3)))


@pytest.mark.parametrize("scale_type", ["model", "channel", "pixel"])
@pytest.mark.parametrize("scale", [0.0011, 0.1, 2.0])
def test_learned_scale_starts_at_the_given_value(family, scale_type, scale):
    likelihood = family.build(scale, scale_type)
    output = torch.cat([OUTPUT, torch.zeros_like(OUTPUT)], dim=1) if scale_type == "pixel" else OUTPUT
    torch.testing.assert_close(likelihood(output).log_prob(X), family.log_prob(scale))


def test_decoder_outputs_a_scale_per_pixel(family):
    offset = torch.linspace(-2, 2, OUTPUT.numel()).view_as(OUTPUT)
    px = family.build(0.1, "pixel")(torch.cat([OUTPUT, offset], dim=1))
    torch.testing.assert_close(px.log_scale, math.log(0.1) + offset, rtol=0, atol=3e-3)  # the floor has little effect
    torch.testing.assert_close(px.log_prob(X), family.log_prob(px.log_scale.exp()))


def test_learned_scale_has_a_floor_and_can_leave_it(family):
    offset = torch.tensor([-1e6, -20.0, -5.0, 0.0, 5.0], requires_grad=True)
    log_scale = family.build(0.1, "pixel").scale(offset)
    (slope,) = torch.autograd.grad(log_scale.sum(), offset)
    assert log_scale[0].exp().item() == pytest.approx(MIN_SCALE)
    assert (log_scale.diff() >= 0).all()
    assert (slope >= 0).all()
    assert slope[2] > 0.1  # at 0.1 · e⁻⁵ = 0.00067, below the floor
    assert slope[3] > 0.999


@pytest.mark.parametrize(("scale_type", "shape"), [("model", ()), ("channel", (3, 1, 1))])
def test_learned_scale_converges_to_the_best_one(family, scale_type, shape):
    likelihood = family.build(0.5, scale_type)
    (offset,) = likelihood.parameters()
    assert offset.shape == shape
    optimizer = torch.optim.LBFGS([offset], line_search_fn="strong_wolfe")  # constructed before the first forward pass

    def loss():
        optimizer.zero_grad()
        nats = -likelihood(OUTPUT).log_prob(X).mean()
        nats.backward()
        assert (offset.grad != 0).all()
        return nats

    optimizer.step(loss)
    parts = ERROR.unbind(1) if scale_type == "channel" else [ERROR]
    expected = torch.stack([family.best_scale(part) for part in parts]).view(shape)
    torch.testing.assert_close(likelihood(OUTPUT).log_scale.detach().exp(), expected, rtol=1e-3, atol=0)


# ------------------------------------------------------------------ optimal scale


def test_optimal_scale_of_a_batch_is_its_error_and_no_other_is_better(family):
    log_prob = family.build(0.1, "optimal")(OUTPUT).log_prob(X)
    best = family.best_scale(ERROR)
    torch.testing.assert_close(log_prob, family.log_prob(best))
    for factor in (0.5, 0.98, 1.02, 2):
        assert family.log_prob(factor * best).mean() < log_prob.mean()


def test_gradient_equals_that_through_the_optimal_scale(family):
    """The scale is detached, which by the envelope theorem does not change the gradient."""
    output = OUTPUT.clone().requires_grad_()
    (actual,) = torch.autograd.grad(family.build(0.1, "optimal")(output).log_prob(X).mean(), output)
    scale = family.best_scale(X - torch.sigmoid(output))
    (expected,) = torch.autograd.grad(family.log_prob(scale, output).mean(), output)
    torch.testing.assert_close(actual, expected)


def test_evaluation_uses_the_running_average_for_any_batch(family):
    likelihood = family.build(0.3, "optimal")
    torch.testing.assert_close(
        likelihood.eval()(OUTPUT).log_prob(X), family.log_prob(0.3)
    )  # before the first training batch
    likelihood.train()
    total = count = 0.0
    for output, x in ((OUTPUT, X), (-OUTPUT, X), (0 * OUTPUT[:1], X[:1])):  # the last one counts half as much
        likelihood(output).log_prob(x)
        total = 0.9 * total + len(x) * family.best_scale(x - torch.sigmoid(output)) ** family.power
        count = 0.9 * count + len(x)
    average = total / count

    state = {name: value.clone() for name, value in likelihood.state_dict().items()}
    batched = likelihood.eval()(OUTPUT).log_prob(X)
    torch.testing.assert_close(batched, family.log_prob(average ** (1 / family.power)))
    single = [likelihood(output[None]).log_prob(x[None]) for output, x in zip(OUTPUT, X, strict=True)]
    torch.testing.assert_close(torch.cat(single), batched)
    assert all(torch.equal(value, state[name]) for name, value in likelihood.state_dict().items())


def test_checkpoints_from_before_batches_were_weighted_by_size_can_be_loaded():
    older = Gaussian(scale_type="optimal").state_dict()
    del older["scale.pixels"]
    older |= {"scale.moment": torch.tensor(0.04), "scale.batches": torch.tensor(7)}
    likelihood = Gaussian(scale_type="optimal")
    likelihood.load_state_dict(older)
    expected = Normal(torch.sigmoid(OUTPUT), 0.2).log_prob(X).sum((1, 2, 3))
    torch.testing.assert_close(likelihood.eval()(OUTPUT).log_prob(X), expected)


def test_perfect_reconstruction_has_the_scale_of_the_floor(family):
    likelihood = family.build(0.1, "optimal")
    output = OUTPUT.clone().requires_grad_()
    log_prob = likelihood(output).log_prob(torch.sigmoid(OUTPUT))
    torch.testing.assert_close(log_prob, family.log_prob(MIN_SCALE, x=torch.sigmoid(OUTPUT)))
    log_prob.sum().backward()
    assert output.grad.isfinite().all()


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize("scale_type", ["fixed", "model", "optimal"])
@pytest.mark.parametrize("scale", [0, -1.0])
def test_scale_that_is_not_positive_raises(family, scale_type, scale):
    with pytest.raises(UserError, match=f"must be > 0, got {scale}"):
        family.build(scale, scale_type)


@pytest.mark.parametrize("scale_type", ["model", "channel", "pixel", "optimal"])
def test_learned_scale_that_starts_at_the_floor_raises(family, scale_type):
    with pytest.raises(UserError, match=r"must start above 0.001, got 0.001"):
        family.build(MIN_SCALE, scale_type)


@pytest.mark.parametrize("scale_type", ["sigma", "", None, True])
def test_unknown_scale_type_lists_the_valid_ones(family, scale_type):
    with pytest.raises(
        UserError,
        match=r"likelihood.scale_type=.*: not a valid choice. Choose one of fixed, model, channel,",
    ):
        family.build(0.1, scale_type)


def test_scale_type_channel_requires_the_image_shape():
    with pytest.raises(UserError, match="scale_type=channel: requires the image shape"):
        Gaussian(sigma=0.1, scale_type="channel")
