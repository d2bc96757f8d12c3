"""Tests of the gradients of the importance-weighted bounds on a small model with a known posterior."""

from functools import partial

import pytest
import torch
from linear_gaussian import LinearGaussian

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.errors import UserError
from vae_lightning.models import CIWAE, HVAE, IWAE, MIWAE, PIWAE
from vae_lightning.models.hvae import LadderPosterior
from vae_lightning.networks import MLP

SIGMA = 0.5
X = torch.rand(1, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
MODELS = {
    "iwae": partial(IWAE, num_samples=4),
    "miwae": partial(MIWAE, num_bounds=2, num_samples=3),
    "piwae": partial(PIWAE, num_bounds=2, num_samples=3),
    "ciwae": partial(CIWAE, num_samples=4, elbo_weight=0.3),
}


@pytest.fixture
def build(parts):
    """Build a model with p(x|z) = N(w z + b, SIGMA²), 4 pixels and 1 latent."""
    linear = {"network": MLP(hidden_dims=[]), "likelihood": LinearGaussian(SIGMA), "latent_dim": 1}
    options = {**parts, **linear, "image_shape": (1, 2, 2)}

    def build_model(name, gradient, warmup=1.0):
        torch.manual_seed(0)
        model = MODELS[name](gradient=gradient, **options).double()
        model.warmup = warmup
        return model

    return build_model


def true_posterior(model):
    """Return q(z|X) of the linear model."""
    w, b = model.decoder[0].weight[:, 0], model.decoder[0].bias
    variance = 1 / (1 + w @ w / SIGMA**2)
    return DiagonalGaussian((variance * w @ (X.flatten() - b) / SIGMA**2).view(1, 1), variance.log().view(1, 1))


def gradients(model, n, shift):
    """Return n independent gradients with respect to mu and log σ² of one image, (n, 2).

    The posterior is the true one, with both parameters shifted.
    """
    q = DiagonalGaussian(*((p.detach() + shift).expand(n, 1).clone().requires_grad_() for p in true_posterior(model)))
    model.encode = lambda *_: q
    torch.manual_seed(2)
    model.objective(model(X.expand(n, 1, 2, 2)))["loss"].backward()
    return n * torch.cat([q.mu.grad, q.logvar.grad], dim=1)


@pytest.mark.parametrize("warmup", [1.0, 0.4])
@pytest.mark.parametrize("name", MODELS)
def test_dreg_has_the_expectation_of_the_standard_gradient_and_less_variance(name, warmup, build):
    """Tucker et al. 2019."""
    n = 50_000
    standard, dreg = (gradients(build(name, gradient, warmup), n, shift=0.3) for gradient in ("standard", "dreg"))
    error = ((standard.var(0) + dreg.var(0)) / n).sqrt()
    assert ((standard.mean(0) - dreg.mean(0)).abs() < 4 * error).all()
    assert (standard.mean(0).abs() / error).max() > 20
    if warmup == 1:
        assert (dreg.var(0) < 0.8 * standard.var(0)).all()


def test_stl_is_unbiased_for_one_sample_only(build):
    """Roeder et al. 2017; Tucker et al. 2019, for more than one."""
    n = 200_000
    for num_samples, is_unbiased in ((1, True), (4, False)):
        both = []
        for gradient in ("standard", "stl"):
            model = build("iwae", gradient)
            model.num_samples = num_samples
            both.append(gradients(model, n, shift=0.3))
        error = ((both[0].var(0) + both[1].var(0)) / n).sqrt()
        assert ((both[0].mean(0) - both[1].mean(0)).abs() < 4 * error).all() == is_unbiased


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_zero_at_the_true_posterior(name, build):
    """All draws have the weight p(x). That of the standard gradient has a variance even there."""
    assert gradients(build(name, "standard"), 100, shift=0.0).abs().max() > 0.1
    for gradient in ("stl", "dreg"):
        assert gradients(build(name, gradient), 100, shift=0.0).abs().max() < 1e-12


@pytest.mark.parametrize("name", MODELS)
def test_gradient_of_the_decoder_is_always_that_of_the_bound(name, build):
    weights = []
    for gradient in ("standard", "stl", "dreg"):
        model = build(name, gradient)
        gradients(model, 50, shift=0.3)
        weights.append(model.decoder[0].weight.grad)
    torch.testing.assert_close(weights[1], weights[0])
    torch.testing.assert_close(weights[2], weights[0])


def test_validation_needs_no_gradient(build):
    model = build("iwae", "dreg")
    with torch.no_grad():
        assert model.objective(model(X))["loss"].isfinite()


def test_posterior_that_depends_on_its_draws_is_rejected(parts):
    ladder = partial(LadderPosterior, num_groups=1, hidden_dims=[])
    assert HVAE(num_groups=1, **parts)
    with pytest.raises(
        UserError, match=r"^model\.gradient=stl: requires a Gaussian .* Set model\.gradient=standard\.$"
    ):
        IWAE(gradient="stl", posterior=ladder, **parts)
    with pytest.raises(UserError, match=r"^model\.gradient=score: not a valid choice\. Choose one of standard, stl,"):
        IWAE(gradient="score", **parts)
