"""Tests of the hierarchical VAE: products of Gaussians, the rate of each group, and a linear model in closed form."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.models import HVAE, VAE
from vae_lightning.models.hvae import LadderPosterior, precision_weighted


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


def test_one_group_gives_the_vae(parts, images):
    model = HVAE(num_groups=1, hidden_dims=[8], **parts)
    vae = VAE(**parts)
    vae.encoder.load_state_dict(model.encoder.state_dict())
    vae.decoder.load_state_dict(model.decoder.state_dict())
    vae.posterior.load_state_dict(model.posterior.evidence[0].state_dict())
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

    qz, pz, _ = ladder.infer([gaussian(m1, v1), gaussian(m2, v2)], DiagonalGaussian.rsample)
    kl = kl_divergence(Normal(qz.mu, torch.exp(0.5 * qz.logvar)), Normal(pz.mu, torch.exp(0.5 * pz.logvar))).mean(0)
    w = s2 / (s2 + v2)
    ratio = torch.tensor(w * v2 / s2)
    expected = 0.5 * (ratio - ratio.log() - 1 + w**2 * ((m2 - a * m1) ** 2 + a**2 * v1) / s2)
    assert kl[0].item() == pytest.approx(0.5 * (m1**2 + v1 - torch.tensor(v1).log().item() - 1), rel=1e-4)
    assert kl[1].item() == pytest.approx(expected.item(), rel=5e-3)

    # Ancestral samples: z_1 ~ N(0, 1), z_2 ~ N(0, a² + s²), Cov = a
    samples = ladder.sample(n)
    torch.testing.assert_close(torch.cov(samples.T), torch.tensor([[1.0, a], [a, a**2 + s2]]), rtol=0.02, atol=0.02)


def test_encode_and_reconstruct_are_deterministic(parts, images):
    model = HVAE(num_groups=2, hidden_dims=[8], **parts)
    assert torch.equal(model.encode(images).mean, model.encode(images).mean)
    assert torch.equal(model.reconstruct(images), model.reconstruct(images))
