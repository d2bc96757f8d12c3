"""Tests of the hierarchical VAE: products of Gaussians, rates of groups and their priors, and a linear model."""

from functools import partial

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_lightning.distributions import ClassConditional, DiagonalGaussian, VampPrior
from vae_lightning.distributions.posterior import precision_weighted
from vae_lightning.errors import UserError
from vae_lightning.models import HVAE, VAE
from vae_lightning.models.hvae import INFERENCE, LadderPosterior, ResidualPosterior
from vae_lightning.priors import MixturePrior


def test_product_of_two_gaussians():
    """N(0, 1) · N(3, ½) ∝ N(2, ⅓): the precisions add up to 3, and weight the means 1 : 2."""
    half = torch.tensor([[0.5]])
    a, b = DiagonalGaussian(torch.zeros(1, 1), torch.zeros(1, 1)), DiagonalGaussian(torch.full((1, 1), 3.0), half.log())
    product = precision_weighted(a, b)
    assert product.mu.item() == pytest.approx(2)
    assert product.logvar.exp().item() == pytest.approx(1 / 3)


def test_posterior_without_evidence_is_the_prior():
    b = DiagonalGaussian(torch.randn(4, 2), torch.randn(4, 2))
    product = precision_weighted(DiagonalGaussian(torch.randn(4, 2), torch.full((4, 2), 60.0)), b)
    torch.testing.assert_close(product.mu, b.mu)
    torch.testing.assert_close(product.logvar, b.logvar)


def test_infer_equals_the_forward_pass(parts):
    """The noise of a forward pass gives the same draws and the same ratio of densities."""
    model = HVAE(num_groups=2, hidden_dims=[8], **parts)
    x = torch.rand(4, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = model(x)
        torch.manual_seed(0)
        noise = torch.cat([torch.randn(4, 3), torch.randn(4, 3)], dim=1)
    qz, pz, z = model.infer(x, noise=noise)
    torch.testing.assert_close(z, out.z)
    torch.testing.assert_close(pz.log_prob(z) - qz.log_prob(z), out.pz.log_prob(out.z) - out.qz.log_prob(out.z))


def test_unknown_inference_raises(parts):
    with pytest.raises(UserError, match=r"^model.inference=up: .*ladder.*residual"):
        HVAE(inference="up", **parts)


def test_residuals_of_zero_give_the_prior(parts, images):
    model = HVAE(num_groups=3, hidden_dims=[8], inference="residual", **parts)
    for network in model.posterior.residuals:
        for parameter in network[-1].parameters():
            torch.nn.init.zeros_(parameter)
    terms = model.objective(model(images))
    assert terms["rate_group_1"] > 0
    assert terms["rate_group_2"] == terms["rate_group_3"] == 0


@torch.no_grad()
def test_residuals_shift_and_scale_the_prior():
    """p(z_2|z_1) = N(a z_1, s²) and residuals of d and log r² give q(z_2|z_1) = N(a z_1 + d, (r s)²)."""
    posterior = ResidualPosterior(3, 2, num_groups=2, hidden_dims=[])
    a, s, d, r = 1.5, 0.8, 0.4, 0.6
    for network, mu, sigma, weight in ((posterior.down[0][0], 0, s, a), (posterior.residuals[0][0], d, r, 0)):
        network.mu.weight.fill_(weight)
        network.mu.bias.fill_(mu)
        network.logvar.weight.zero_()
        network.logvar.bias.fill_(2 * torch.tensor(sigma).log())
    evidence = posterior(torch.randn(5, 3))
    (_, q), (p,), (z_1, _) = posterior.infer(evidence, DiagonalGaussian.rsample)
    torch.testing.assert_close(p.mu, a * z_1)
    torch.testing.assert_close(q.mu, a * z_1 + d)
    torch.testing.assert_close(torch.exp(0.5 * q.logvar), torch.full((5, 1), r * s))


@pytest.mark.parametrize("inference", INFERENCE)
@torch.no_grad()
def test_importance_weights_of_both_inferences_agree(inference, parts, images):
    """The decoder ignores z, so log p(x) is known, and importance sampling must find it with any posterior."""
    model = HVAE(num_groups=2, hidden_dims=[8], inference=inference, **parts).eval()
    for parameter in model.decoder.parameters():
        parameter.mul_(0)
    x = model.as_images(images)
    qz, pz, z = model.infer(x, None, 20_000)
    weights = (pz.log_prob(z) - qz.log_prob(z)).view(20_000, -1)
    assert weights.exp().mean(0).sub(1).abs().max() < 0.1


@pytest.mark.parametrize("inference", INFERENCE)
def test_one_group_gives_the_vae(inference, parts, images):
    model = HVAE(num_groups=1, hidden_dims=[8], inference=inference, **parts)
    vae = VAE(**parts)
    vae.encoder.load_state_dict(model.encoder.state_dict())
    vae.decoder.load_state_dict(model.decoder.state_dict())
    vae.posterior.load_state_dict(model.posterior.top.state_dict())
    losses = []
    for either in (model, vae):
        torch.manual_seed(1)
        losses.append(either.objective(either(images))["loss"])
    torch.testing.assert_close(*losses)


def test_kl_of_each_group_matches_torch_and_sums_to_the_rate(parts, images):
    model = HVAE(num_groups=3, hidden_dims=[8], **parts)
    out = model(images)
    terms = model.objective(out)
    sigma_q, sigma_p = torch.exp(0.5 * out.qz.logvar), torch.exp(0.5 * out.pz.logvar)
    each = kl_divergence(Normal(out.qz.mu, sigma_q), Normal(out.pz.mu, sigma_p)).sum(0) / 7
    for group in range(3):
        torch.testing.assert_close(terms[f"rate_group_{group + 1}"], each[3 * group : 3 * group + 3].sum())
    torch.testing.assert_close(terms["rate"], sum(terms[f"rate_group_{g}"] for g in (1, 2, 3)))
    assert out.z.shape == (7, 9)
    assert not out.pz.mu[:, :3].any()  # the top group's prior is N(0, I)
    assert out.pz.mu[:, 3:].any()


@torch.no_grad()
def test_rate_of_a_linear_model_matches_the_closed_form():
    """Two groups with one latent each: p(z_2|z_1) = N(a z_1, s²), evidence N(m_1, v_1) and N(m_2, v_2).

    q(z_2|z_1) = N(w m_2 + (1-w) a z_1, v) with w = s² / (s² + v_2) and v = w v_2. Its KL is
    ½ (v/s² - log v/s² - 1 + w² (m_2 - a z_1)² / s²), where the mean over z_1 of (m_2 - a z_1)² is
    (m_2 - a m_1)² + a² v_1.
    """
    torch.manual_seed(0)
    a, s2, m1, v1, m2, v2 = 1.5, 0.8, 0.7, 0.3, -0.4, 0.6
    ladder = LadderPosterior(3, 2, num_groups=2, hidden_dims=[])
    prior = ladder.down[0][0]  # p(z_2|z_1)
    prior.mu.weight.fill_(a)
    prior.mu.bias.zero_()
    prior.logvar.weight.zero_()
    prior.logvar.bias.fill_(torch.tensor(s2).log())
    n = 400_000

    def gaussian(m: float, v: float) -> DiagonalGaussian:
        return DiagonalGaussian(torch.full((n, 1), m), torch.full((n, 1), v).log())

    (_, q), (p,), _ = ladder.infer([gaussian(m1, v1), gaussian(m2, v2)], DiagonalGaussian.rsample)
    kl = kl_divergence(Normal(q.mu, torch.exp(0.5 * q.logvar)), Normal(p.mu, torch.exp(0.5 * p.logvar))).mean()
    w = s2 / (s2 + v2)
    ratio = torch.tensor(w * v2 / s2)
    expected = 0.5 * (ratio - ratio.log() - 1 + w**2 * ((m2 - a * m1) ** 2 + a**2 * v1) / s2)
    assert kl.item() == pytest.approx(expected.item(), rel=5e-3)

    # Ancestral samples: z_1 ~ N(0, 1), z_2 ~ N(0, a² + s²), Cov = a
    samples = ladder.sample(torch.randn(n, 1))
    torch.testing.assert_close(torch.cov(samples.T), torch.tensor([[1.0, a], [a, a**2 + s2]]), rtol=0.02, atol=0.02)


def test_encode_and_reconstruct_are_deterministic(parts, images):
    model = HVAE(num_groups=2, hidden_dims=[8], **parts)
    assert torch.equal(model.encode(images).mean, model.encode(images).mean)
    assert torch.equal(model.reconstruct(images), model.reconstruct(images))


@torch.no_grad()
def test_prior_of_the_top_group_leaves_the_others_as_they_are(parts, images):
    """A mixture whose only component is N(0, I) has the densities of N(0, I), and a rate with the same expectation."""
    options = {"num_groups": 3, "hidden_dims": [8], **parts}
    model, mixture = HVAE(**options), HVAE(prior=partial(MixturePrior, num_components=1), **options)
    mixture.load_state_dict(model.state_dict(), strict=False)
    mixture.prior.mu.zero_()
    x, noise = model.as_images(images), torch.randn(14_000, 9)
    expected, out = (m(images)._replace(**dict(zip(("qz", "pz", "z"), m.infer(x, None, 2000, noise), strict=True)))
                     for m in (model, mixture))  # fmt: skip
    assert mixture.prior.mu.shape == (1, 3)
    torch.testing.assert_close(out.z, expected.z)
    torch.testing.assert_close(out.pz.log_prob(out.z), expected.pz.log_prob(expected.z))
    rates, expected_rates = (model.regularizer(o)[1] for o in (out, expected))
    assert rates["rate_group_1"].item() == pytest.approx(expected_rates["rate_group_1"].item(), abs=0.02)
    for name in ("rate_group_2", "rate_group_3"):
        torch.testing.assert_close(rates[name], expected_rates[name])
    torch.testing.assert_close(rates["rate"], sum(rates[f"rate_group_{g}"] for g in (1, 2, 3)))


@torch.no_grad()
def test_vamp_prior_is_the_mixture_of_the_top_posteriors_of_its_pseudo_images(parts, images):
    model = HVAE(num_groups=2, hidden_dims=[8], prior=partial(VampPrior, num_components=4), **parts)
    out = model(images)
    pseudo = model.encode(torch.sigmoid(model.prior.logits))
    top = Normal(pseudo.mu[:, :3], torch.exp(0.5 * pseudo.logvar[:, :3]))
    log_top = top.log_prob(out.z[:, None, :3]).sum(2).logsumexp(1) - torch.tensor(4.0).log()
    lower = model.posterior.down[0](out.z[:, :3])
    torch.testing.assert_close(out.pz.log_prob(out.z), log_top + lower.log_prob(out.z[:, 3:]))
    log_q = Normal(out.qz.mu, torch.exp(0.5 * out.qz.logvar)).log_prob(out.z)[:, :3].sum(1)
    torch.testing.assert_close(model.objective(out)["rate_group_1"], (log_q - log_top).mean())


@torch.no_grad()
def test_samples_start_from_the_prior_of_the_top_group(parts):
    model = HVAE(num_groups=2, hidden_dims=[8], prior=partial(MixturePrior, num_components=1), **parts)
    model.prior.mu.fill_(50.0)
    z = model.sample_prior(100)
    assert (z[:, :3] > 40).all()
    assert (z[:, 3:] < 40).any()


@torch.no_grad()
def test_gaussian_prior_of_each_class_has_its_kl_in_closed_form(parts, images):
    model = HVAE(num_groups=2, hidden_dims=[8], **{**parts, "conditional": True, "prior": ClassConditional})
    torch.nn.init.normal_(model.prior.mu.weight)
    y = torch.tensor([0, 1, 2, 3, 9, 9, 9])
    out = model(images, y)
    q = Normal(out.qz.mu[:, :3], torch.exp(0.5 * out.qz.logvar[:, :3]))
    rate = kl_divergence(q, Normal(model.prior.mu.weight.T[y], 1)).sum(1).mean()
    torch.testing.assert_close(model.objective(out)["rate_group_1"], rate)
    assert model.infer(model.as_images(images), y, num_samples=3)[1].mu.shape == (21, 6)
