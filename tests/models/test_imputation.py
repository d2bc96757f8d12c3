"""Tests of imputation on a linear-Gaussian model, whose E[x_mis | x_obs] is known, and on models of every kind."""

from functools import partial
from typing import NamedTuple

import pytest
import torch
from linear_gaussian import LinearGaussian

from vae_lightning.distributions import Bernoulli, BernoulliImages, Gaussian
from vae_lightning.errors import UserError
from vae_lightning.models import AE, HVAE, IWAE, VAE, VQVAE, HamiltonianVAE
from vae_lightning.models.imputation import METHODS
from vae_lightning.networks import MLP
from vae_lightning.priors import SecondStageVAE

SIGMA = 0.05
X = 0.5 + 0.1 * torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.tensor([[1.0], [0.5], [-0.8], [1.0]])  # of the latent in each pixel
MASK = torch.tensor([[True, False], [True, False]])


@pytest.fixture
def linear(parts):
    """Return p(x|z) = N(w z + 0.5, SIGMA²) with 4 pixels, 1 latent and the exact posterior of complete images.

    SIGMA is so small that draws outside [0, 1], which are clamped in the end, are rare.
    """
    return linear_model(parts, 0.1 * WEIGHTS, SIGMA)


def linear_model(parts, w, sigma):
    """Return p(x|z) = N(w z + 0.5, sigma²) for weights (4, 1), with the exact posterior of complete images."""
    network = {"network": MLP(hidden_dims=[], activation="Tanh"), "likelihood": LinearGaussian(sigma), "latent_dim": 1}
    model = VAE(**{**parts, **network, "image_shape": (1, 2, 2)}).eval()
    variance = 1 / (1 + (w.T @ w) / sigma**2)
    with torch.no_grad():
        model.decoder[0].weight.copy_(w)
        model.decoder[0].bias.fill_(0.5)
        model.posterior.mu.weight.copy_(variance * w.T / sigma**2)
        model.posterior.mu.bias.copy_(-0.5 * (variance * w.T / sigma**2).sum(1))
        model.posterior.logvar.weight.zero_()
        model.posterior.logvar.bias.copy_(variance.log()[0])
    return model


def ignore_images(model):
    """Replace q(z|x) by a Gaussian that is neither the posterior nor the prior."""
    torch.nn.init.zeros_(model.posterior.mu.weight)
    torch.nn.init.constant_(model.posterior.mu.bias, 0.3)
    torch.nn.init.constant_(model.posterior.logvar.bias, 0.4)


def conditional(model, x=X):
    """Return the mean (N, 2) and the covariance (2, 2) of p(x_mis | x_obs)."""
    w, seen = model.decoder[0].weight, MASK.flatten()
    covariance = w @ w.T + model.likelihood.sigma**2 * torch.eye(4)
    gain = covariance[~seen][:, seen] @ covariance[seen][:, seen].inverse()
    mean = 0.5 + (x.flatten(1)[:, seen] - 0.5) @ gain.T
    return mean, covariance[~seen][:, ~seen] - gain @ covariance[seen][:, ~seen]


@pytest.mark.parametrize("method", METHODS)
def test_average_converges_to_the_conditional_mean(method, linear):
    """For pseudo-Gibbs sampling only if the encoder is exact, for the other methods for any encoder."""
    if method != "gibbs":
        ignore_images(linear)
    filled = linear.impute(X, MASK, method=method, samples=4000, generator=torch.Generator().manual_seed(0))
    mean, _ = conditional(linear)
    torch.testing.assert_close(filled[..., 1].flatten(1), mean, rtol=0, atol=4e-3)
    assert torch.equal(filled[..., 0], X[..., 0])


@pytest.mark.parametrize("method", METHODS)
def test_draws_have_the_conditional_mean_and_covariance(method, linear):
    if method != "gibbs":
        ignore_images(linear)
    n = 3000
    x = X[:1].expand(n, -1, -1, -1)
    generator = torch.Generator().manual_seed(0)
    filled = linear.impute(x, MASK, method=method, samples=60, draw=True, chunk=10 * n, generator=generator)
    mean, covariance = conditional(linear)
    torch.testing.assert_close(filled[..., 1].flatten(1).mean(0), mean[0], rtol=0, atol=6e-3)
    torch.testing.assert_close(filled[..., 1].flatten(1).T.cov(), covariance, rtol=0, atol=6e-4)


def test_draws_outside_the_range_of_images_do_not_bias_the_chain(parts):
    linear = linear_model(parts, WEIGHTS, 0.5)
    x = torch.full((1000, 1, 2, 2), 0.95)
    filled = linear.impute(x, MASK, method="metropolis", samples=400, generator=torch.Generator().manual_seed(0))
    mean, _ = conditional(linear, x[:1])
    torch.testing.assert_close(filled[..., 1].flatten(1).mean(0), mean[0], rtol=0, atol=6e-3)


def test_draws_whose_density_is_that_of_their_own_are_no_proposals(parts, images):
    mask = torch.ones(8, 8, dtype=torch.bool)
    with pytest.raises(UserError, match=r"method=metropolis: HamiltonianVAE has no q\(z\|x\) of a given z. Use"):
        HamiltonianVAE(**parts).eval().impute(images, mask, method="metropolis")


def test_passes_of_importance_sampling_are_weighed_together(linear):
    """With few draws per pass, an average over passes would be biased toward the mean of q(z|x)."""
    ignore_images(linear)
    mean, _ = conditional(linear)
    filled = linear.impute(X, MASK, method="importance", samples=5000, chunk=6)
    torch.testing.assert_close(filled[..., 1].flatten(1), mean, rtol=0, atol=4e-3)


MODELS = {
    "vae": VAE,
    "cvae": partial(VAE, conditional=True),
    "hvae": partial(HVAE, num_groups=2, hidden_dims=[8]),
    "iwae": partial(IWAE, num_samples=3),
    "ae": AE,
    "vq_vae": partial(VQVAE, code_dim=1, codebook_size=4),
}


@pytest.mark.parametrize("draw", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MODELS)
def test_observed_pixels_are_unchanged_and_a_generator_reproduces_the_rest(name, method, draw, parts, images):
    model = MODELS[name](**{**parts, **getattr(MODELS[name], "keywords", {})}).eval()
    mask = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    fill = partial(model.impute, images, mask, torch.arange(7), method=method, samples=9, draw=draw, chunk=20)
    if (method != "gibbs" and name in ("ae", "vq_vae")) or (method == "metropolis" and name == "hvae"):
        fix = "method=importance" if name == "hvae" else "method=gibbs"
        with pytest.raises(UserError, match=rf"impute: method={method}: .* Use {fix}"):
            fill()
        return
    state = torch.get_rng_state()
    first, again, other = (fill(generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first[mask], model.as_images(images)[mask])
    assert torch.equal(first, again)
    assert not torch.equal(first, other) or (name == "vq_vae" and not draw)
    assert first.min() >= 0
    assert first.max() <= 1


def test_missing_pixels_may_be_nan_and_images_without_any_are_returned(parts, images):
    model = VAE(**parts).eval()
    x = model.as_images(images)
    mask = torch.arange(8)[:, None] < 4
    with pytest.raises(UserError, match=r"^impute: mask must be a tensor, got ndarray"):
        model.impute(x, mask.numpy())
    holes = torch.where(mask, x, torch.nan)
    assert model.impute(holes, mask, samples=2).isfinite().all()
    assert torch.equal(model.impute(images, torch.tensor(True), samples=2), x)


class WholeImages(NamedTuple):
    """A distribution that only has a density of whole images."""

    mean: torch.Tensor

    def log_prob(self, x):
        return BernoulliImages(self.mean.logit()).log_prob(x)


class Dependent(Bernoulli):
    def forward(self, output):
        return WholeImages(output.sigmoid())


def test_invalid_arguments_raise(parts, images):
    model = VAE(**parts)
    mask = torch.ones(8, 8, dtype=torch.bool)
    with pytest.raises(UserError, match=r"training mode.*Call model\.eval\(\)"):
        model.impute(images, mask)
    model.eval()
    with pytest.raises(UserError, match=r"method=mean: .*Choose one of gibbs, metropolis, importance"):
        model.impute(images, mask, method="mean")
    with pytest.raises(UserError, match="samples=0: must be an integer >= 1"):
        model.impute(images, mask, samples=0)
    with pytest.raises(UserError, match=r"mask must be bool of shape \(7, 1, 8, 8\).*got \(3, 3\)"):
        model.impute(images, mask[:3, :3])
    estimated = VAE(**{**parts, "prior": SecondStageVAE}).eval()
    with pytest.raises(UserError, match=r"method=metropolis: log p\(z\) of VAE is an estimate. Use method=importance"):
        estimated.impute(images, mask, method="metropolis")
    for method in METHODS:
        with pytest.raises(UserError, match="the pixels of WholeImages are not independent given z"):
            VAE(**{**parts, "likelihood": Dependent()}).eval().impute(images, mask, method=method)


def test_first_half_of_the_chain_is_left_out_of_the_average(parts, monkeypatch):
    model, means = VAE(**{**parts, "likelihood": Gaussian(sigma=0.1)}).eval(), []
    decode = model.decode

    def record(z, y=None):
        px = decode(z, y)
        means.append(px.mean)
        return px

    monkeypatch.setattr(model, "decode", record)
    filled = model.impute(torch.rand(2, 1, 8, 8), torch.zeros(8, 8, dtype=torch.bool), samples=4)
    torch.testing.assert_close(filled, (means[2] + means[3]) / 2)
