"""Tests of the importance-weighted bound on a linear-Gaussian model, whose log p(x) is known."""

from functools import partial
from itertools import pairwise

import pytest
import torch
from linear_gaussian import LinearGaussian
from torch.distributions import MultivariateNormal

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.models import IWAE, VAE
from vae_lightning.models.iwae import importance_weighted_bound
from vae_lightning.networks import MLP

SIGMA = 0.5


@pytest.fixture
def linear(parts):
    """p(x|z) = N(Wz + b, SIGMA²) with 4 pixels and 2 latents."""
    torch.manual_seed(0)
    linear = {"network": MLP(hidden_dims=[], activation="Tanh"), "likelihood": LinearGaussian(SIGMA)}
    return partial(IWAE, **{**parts, **linear, "latent_dim": 2, "image_shape": (1, 2, 2)})


def log_evidence(model, x):
    """Return log N(x; b, W Wᵀ + SIGMA² I), (B,)."""
    layer = model.decoder[0]
    covariance = layer.weight @ layer.weight.T + SIGMA**2 * torch.eye(4)
    return MultivariateNormal(layer.bias, covariance).log_prob(x.flatten(1))


X = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_bound_increases_with_k_towards_log_p_and_stays_below(linear):
    """On average over many samples. The encoder is not the true posterior."""
    weights = linear(num_samples=1).state_dict()
    bounds = {}
    for k in (1, 5, 50, 2000):
        model = linear(num_samples=k)
        model.load_state_dict(weights)
        repeats = 4000 // min(k, 400)
        values = torch.stack([-model.objective(model(X))["loss"] for _ in range(repeats)])
        bounds[k] = values.mean().item(), 4 * values.std().item() / repeats**0.5
    truth = log_evidence(model, X).mean().item()
    means, errors = zip(*bounds.values(), strict=True)
    assert all(later > earlier for earlier, later in pairwise(means))
    assert all(mean <= truth + error for mean, error in bounds.values())
    assert means[-1] == pytest.approx(truth, abs=0.01 + errors[-1])
    assert means[0] < truth - 0.1


@torch.no_grad()
def test_one_sample_gives_the_elbo(linear):
    model = linear(num_samples=1)
    terms = [model.objective(model(X.repeat(400, 1, 1, 1))) for _ in range(20)]
    values = torch.stack([t["loss"] for t in terms[:10]])
    nelbo = torch.stack([t["distortion"] + t["rate"] for t in terms[10:]])
    error = 4 * (values.std() + nelbo.std()) / 10**0.5
    assert values.mean().item() == pytest.approx(nelbo.mean().item(), abs=error.item())


@torch.no_grad()
def test_every_sample_gives_log_p_under_the_true_posterior(linear):
    """One latent, whose posterior is a diagonal Gaussian."""
    model = linear(num_samples=3, latent_dim=1)
    w, b = model.decoder[0].weight, model.decoder[0].bias
    variance = 1 / (1 + (w.T @ w) / SIGMA**2)  # (1, 1)
    model.posterior.mu.weight.copy_(variance * w.T / SIGMA**2)
    model.posterior.mu.bias.copy_(-(variance * w.T / SIGMA**2) @ b)
    model.posterior.logvar.weight.zero_()
    model.posterior.logvar.bias.copy_(variance.log()[0])
    out = model(X)
    log_w = (out.px.log_prob(out.x) + out.pz.log_prob(out.z) - out.qz.log_prob(out.z)).unflatten(0, (3, -1))
    torch.testing.assert_close(log_w, log_evidence(model, X).expand(3, -1))


def test_gradient_matches_eq_14():
    """Σ_k w̃_k ∇ log w_k, Burda et al. 2016, Eq. 14."""
    log_w = torch.randn(6, 2, requires_grad=True)
    importance_weighted_bound(log_w).sum().backward()
    torch.testing.assert_close(log_w.grad, log_w.detach().softmax(0))


def test_samples_belong_to_their_images(parts, images):
    """The batch is repeated in the order in which the objective unflattens it."""
    model = IWAE(num_samples=3, **parts)
    out = model(images)
    q = model.encode(images)
    assert torch.equal(out.x.unflatten(0, (3, 7))[2], model.as_images(images))
    torch.testing.assert_close(out.qz.mu.unflatten(0, (3, 7))[1], q.mu)
    log_w = (out.px.log_prob(out.x) + out.pz.log_prob(out.z) - out.qz.log_prob(out.z)).view(3, 7)
    expected = -(log_w.logsumexp(0) - torch.tensor(3.0).log()).mean()
    torch.testing.assert_close(model.objective(out)["loss"], expected)


def test_encode_and_reconstruct_equal_those_of_the_vae(parts, images):
    model, vae = IWAE(num_samples=3, **parts), VAE(**parts)
    vae.load_state_dict(model.state_dict())
    assert isinstance(model.encode(images), DiagonalGaussian)
    assert torch.equal(model.reconstruct(images), vae.reconstruct(images))
