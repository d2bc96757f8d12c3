"""Tests of log p(x) on a linear-Gaussian model, whose likelihood is known, and of its errors."""

import pytest
import torch
from linear_gaussian import LinearGaussian

from vae_lightning.errors import UserError
from vae_lightning.models import AE, IWAE, VAE
from vae_lightning.networks import MLP

SIGMA = 0.3
X = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def linear(parts):
    """Return p(x|z) = N(w z + b, SIGMA²) with 4 pixels and 2 latents, and an untrained posterior."""
    network = {"network": MLP(hidden_dims=[], activation="Tanh"), "likelihood": LinearGaussian(SIGMA), "latent_dim": 2}
    return VAE(**{**parts, **network, "image_shape": (1, 2, 2)}).eval()


def test_estimate_converges_to_the_exact_value_in_any_number_of_passes(linear):
    w, b = linear.decoder[0].weight.detach(), linear.decoder[0].bias.detach()
    px = torch.distributions.MultivariateNormal(b, w @ w.T + SIGMA**2 * torch.eye(4))
    for chunk in (2, 7, 30_000):
        generator = torch.Generator().manual_seed(1)
        estimate = linear.log_px(X, samples=10_000, chunk=chunk, generator=generator)
        torch.testing.assert_close(estimate, px.log_prob(X.flatten(1)).double(), rtol=0, atol=0.05)


def test_one_sample_is_the_elbo_and_more_are_tighter(linear):
    x = X.repeat(20_000, 1, 1, 1)
    one, ten = (linear.log_px(x, samples=k, generator=torch.Generator().manual_seed(0)) for k in (1, 10))
    out = linear(x)
    elbo = out.px.log_prob(x) - out.qz.kl(out.pz)
    assert one.mean().item() == pytest.approx(elbo.mean().item(), abs=5 * one.std().item() / len(x) ** 0.5)
    assert ten.mean() > one.mean() + 0.1


def test_generator_makes_the_estimate_reproducible(parts, images):
    model = IWAE(**parts, num_samples=3).eval()
    first, second = (model.log_px(images, samples=5, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (7,)
    assert first.dtype == torch.float64
    assert not first.requires_grad


def test_invalid_calls_are_rejected(parts, images):
    with pytest.raises(UserError, match=r"^log_px: q\(z\|x\) or p\(z\) of AE has no density"):
        AE(**parts).eval().log_px(images)
    with pytest.raises(UserError, match=r"^log_px: the model is in training mode"):
        VAE(**parts).train().log_px(images)
    with pytest.raises(UserError, match=r"^log_px: y has 2 labels for 7 images"):
        VAE(**{**parts, "conditional": True}).eval().log_px(images, torch.tensor([0, 1]))
    for name in ("samples", "chunk"):
        with pytest.raises(UserError, match=rf"^log_px: {name}=0: must be an integer >= 1"):
            VAE(**parts).eval().log_px(images, **{name: 0})


def test_passes_are_not_larger_than_the_chunk(linear, monkeypatch):
    sizes, decode = [], linear.decode
    monkeypatch.setattr(linear, "decode", lambda z, y: sizes.append(len(z)) or decode(z, y))
    x = X.repeat(10, 1, 1, 1)
    linear.log_px(x, samples=4, chunk=12)
    assert (max(sizes), sum(sizes)) == (12, 120)
    sizes.clear()
    linear.impute(x, torch.ones_like(x, dtype=torch.bool), method="importance", samples=4, chunk=12)
    assert (max(sizes), sum(sizes)) == (12, 120)
