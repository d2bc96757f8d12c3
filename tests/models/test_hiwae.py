"""Tests of the hierarchical IWAE on a linear-Gaussian chain, whose log p(x) is known."""

from functools import partial

import pytest
import torch
from linear_gaussian import LinearGaussian
from torch.distributions import MultivariateNormal, Normal

from vae_lightning.distributions import VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import HIWAE, IWAE
from vae_lightning.models.hiwae import ChainPosterior
from vae_lightning.networks import MLP
from vae_lightning.priors import MixturePrior

SIGMA = 0.5
X = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def chain(parts):
    """h_2 ~ N(0, I) with 1 latent, h_1|h_2 and x|h_1 linear, with 2 latents and 4 pixels."""
    torch.manual_seed(0)
    linear = {"network": MLP(hidden_dims=[]), "likelihood": LinearGaussian(SIGMA), "latent_dim": 2, "hidden_dims": []}
    model = HIWAE(upper_dims=[1], **{**parts, **linear, "image_shape": (1, 2, 2)})
    torch.nn.init.zeros_(model.posterior.down[0][0].logvar.weight)
    return model


def moments_of_h1(model):
    """Return mean and covariance of p(h_1)."""
    layer = model.posterior.down[0][0]
    a = layer.mu.weight
    return layer.mu.bias, a @ a.T + torch.diag(layer.logvar.bias.exp())


@torch.no_grad()
def test_bound_tends_to_log_p(chain):
    mean, covariance = moments_of_h1(chain)
    w, b = chain.decoder[0].weight, chain.decoder[0].bias
    evidence = MultivariateNormal(w @ mean + b, w @ covariance @ w.T + SIGMA**2 * torch.eye(4))
    truth = evidence.log_prob(X.flatten(1)).mean().item()
    chain.num_samples = 20_000
    terms = chain.objective(chain(X))
    assert -terms["objective"].item() == pytest.approx(truth, abs=0.05)
    assert -(terms["distortion"] + terms["rate"]).item() < truth - 0.1


@torch.no_grad()
def test_samples_have_the_moments_of_the_prior(chain):
    """h_2 and h_1, the top group first, and Cov(h_1, h_2) = A."""
    mean, covariance = moments_of_h1(chain)
    a = chain.posterior.down[0][0].mu.weight
    z = chain.sample_prior(400_000, generator=torch.Generator().manual_seed(0))
    expected = torch.cat([torch.cat([torch.eye(1), a.T], dim=1), torch.cat([a, covariance], dim=1)])
    torch.testing.assert_close(torch.cov(z.T), expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(z.mean(0), torch.cat([torch.zeros(1), mean]), rtol=0.02, atol=0.02)


@torch.no_grad()
def test_log_densities_are_those_of_the_chain(parts, images):
    """Three groups of different sizes, whose networks are applied one by one."""
    model = HIWAE(num_samples=2, upper_dims=[4, 2], hidden_dims=[8], **parts)
    out = model(images)
    h3, h2, h1 = out.z.split([2, 4, 3], dim=1)
    posterior = model.posterior
    q1 = posterior.lowest(model.encoder(model.as_images(images))).repeat(2)
    log_q = q1.log_prob(h1) + posterior.up[0](h1).log_prob(h2) + posterior.up[1](h2).log_prob(h3)
    log_p = posterior.down[0](h2).log_prob(h1) + posterior.down[1](h3).log_prob(h2) + Normal(0, 1).log_prob(h3).sum(1)
    torch.testing.assert_close(out.qz.log_prob(out.z), log_q)
    torch.testing.assert_close(out.pz.log_prob(out.z), log_p)
    torch.testing.assert_close(model.objective(out)["rate"], (log_q - log_p).mean())
    torch.testing.assert_close(out.px.mean, torch.sigmoid(model.decoder(h1)))


def test_one_group_is_the_iwae(parts, images):
    model, iwae = HIWAE(upper_dims=[], **parts), IWAE(**parts)
    names = {name: name.replace("posterior.lowest", "posterior") for name in model.state_dict()}
    iwae.load_state_dict({names[name]: value for name, value in model.state_dict().items()})
    losses = []
    for either in (model, iwae):
        torch.manual_seed(1)
        losses.append(either.objective(either(images))["loss"])
    assert torch.equal(*losses)


@torch.no_grad()
def test_prior_of_the_top_group_can_be_a_mixture(parts, images):
    model = HIWAE(upper_dims=[2], prior=partial(MixturePrior, num_components=2), **parts)
    out = model(images)
    h2, h1 = out.z.split([2, 3], dim=1)
    log_p = model.prior(None, None).log_prob(h2) + model.posterior.down[0](h2).log_prob(h1)
    torch.testing.assert_close(out.pz.log_prob(out.z), log_p)


@torch.no_grad()
def test_noise_determines_the_draws(parts, images):
    model = HIWAE(upper_dims=[2], **parts)
    noise = torch.randn(21, 5)
    first, second = (model.infer(images, num_samples=3, noise=noise)[2] for _ in range(2))
    assert torch.equal(first, second)
    zero = model.infer(images, noise=torch.zeros(7, 5))[2]
    assert torch.equal(zero, model.encode(images).mean)


def test_unsupported_options_are_rejected(parts):
    with pytest.raises(UserError, match=r"^model/prior=vamp: requires a Gaussian posterior\. Set"):
        HIWAE(prior=VampPrior, **parts)
    with pytest.raises(UserError, match=r"^model\.gradient=dreg: requires a Gaussian that depends on x only"):
        HIWAE(gradient="dreg", **parts)
    assert not ChainPosterior.factorizes
