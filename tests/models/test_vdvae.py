"""Tests of the very deep VAE: shapes, one top-down pass for all purposes, rates, and a linear model in closed form."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from vae_lightning.errors import UserError
from vae_lightning.models import VAE, VDVAE
from vae_lightning.networks import MLP, Ladder
from vae_lightning.networks.ladder import Group, ResidualBottleneck

SMALL = Ladder(channels=[4, 8, 8], groups=[0, 2, 1])
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 48), (2, 1, 5)]


def build(shape=(1, 8, 8), **options) -> VDVAE:
    torch.manual_seed(0)
    return VDVAE(**{"image_shape": shape, "latent_dim": 2, "network": SMALL, **options})


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [*zip(SHAPES, [[98, 392, 392], [128, 512, 512], [384, 1536, 1536], [4, 6, 6]], strict=True)],
    ids=str,
)
def test_latents_of_all_groups_form_one_vector(shape, sizes):
    model = build(shape)
    assert model.regularizer.group_sizes == sizes  # 2·h·w: one group at a quarter of the resolution, two at half
    assert model.latent_dim == sum(sizes)
    x = torch.rand(3, *shape)
    assert model(x).z.shape == model.encode(x).mu.shape == model.sample_prior(3).shape == (3, model.latent_dim)
    assert model.reconstruct(x).shape == model.sample(3).shape == (3, *shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("options", [{}, {"conditional": True, "num_classes": 4}], ids=["", "conditional"])
def test_decode_equals_the_forward_pass_bit_for_bit(shape, options):
    model = build(shape, **options)
    x, y = torch.rand(3, *shape), torch.tensor([0, 1, 2])
    out = model(x, y)
    assert torch.equal(model.decode(out.z, y).mean, out.px.mean)
    torch.manual_seed(1)
    out = model(x, y)
    torch.manual_seed(1)
    noise = torch.randn(3, model.latent_dim)
    for inferred, expected in zip(model.infer(x, y, noise=noise), (out.qz, out.pz, out.z), strict=True):
        for a, b in zip(inferred, expected, strict=True):
            assert torch.equal(a, b)


def test_draws_of_several_samples_equal_single_draws():
    model = build()
    x, noise = torch.rand(3, 1, 8, 8), torch.randn(6, model.latent_dim)
    z = model.infer(x, None, 2, noise)[2]
    assert_close(z, torch.cat([model.infer(x, noise=half)[2] for half in noise.split(3)]))


def test_encode_gives_the_means_from_the_top_down():
    """q of each group is conditioned on the means above it, as if the noise of `infer` were zero."""
    model = build()
    x = torch.rand(3, 1, 8, 8)
    qz, _, z = model.infer(x, noise=torch.zeros(3, model.latent_dim))
    assert torch.equal(model.encode(x).mu, qz.mu)
    assert torch.equal(model.encode(x).mu, z)


def test_posterior_of_a_group_depends_on_the_groups_above_but_not_below():
    model = build()
    x, noise = torch.rand(1, 1, 8, 8), torch.zeros(1, model.latent_dim)
    changed = noise.clone()
    changed[:, 8] = 3.0  # the first latent of the second of the groups 8 + 32 + 32
    before, after = (model.infer(x, noise=e)[0].mu for e in (noise, changed))
    assert torch.equal(before[:, :40], after[:, :40])
    assert not torch.equal(before[:, 40:], after[:, 40:])


@pytest.mark.parametrize("residual", [False, True])
def test_rates_match_torch_and_sum_to_the_rate(residual):
    model = build(residual_posterior=residual)
    out = model(torch.rand(5, 1, 8, 8))
    terms = model.objective(out)
    q, p = (Normal(d.mu, torch.exp(0.5 * d.logvar)) for d in (out.qz, out.pz))
    groups = (kl_divergence(q, p).sum(0) / 5).split([8, 32, 32])
    for i, group in enumerate(groups, 1):
        assert_close(terms[f"rate_group_{i}"], group.sum())
    assert_close(terms["rate"], terms["rate_group_1"] + terms["rate_group_2"] + terms["rate_group_3"])


@torch.no_grad()
def test_residual_posterior_without_evidence_is_the_prior():
    model = build(residual_posterior=True)
    for head in model.posterior.heads:
        head[-1].weight.zero_()
        head[-1].bias.zero_()
    out = model(torch.rand(5, 1, 8, 8))
    assert torch.equal(out.qz.mu, out.pz.mu)
    assert model.objective(out)["rate"] == 0


@torch.no_grad()
def test_linear_hierarchy_has_the_moments_of_its_closed_form():
    """Two groups of one latent, z_1 ~ N(0, 1) and z_2 ~ N(a z_1, s²); the image shows z_1 + z_2.

    So Var z_2 = a² + s², Cov = a and, at a temperature t, all of them t² times as large.
    """
    a, s2, t = 1.5, 0.8, 0.5
    model = VDVAE(image_shape=(1, 1, 1), latent_dim=1, network=Ladder(channels=[1], groups=[2], bottleneck=1))
    for parameter in model.decoder.parameters():
        parameter.zero_()
    first, second, last = model.decoder.blocks
    second.prior = torch.nn.Conv2d(1, 3, 1)  # the state -> mean, log σ² and features
    second.prior.weight.copy_(torch.tensor([a, 0, 0]).view(3, 1, 1, 1))
    second.prior.bias.copy_(torch.tensor([0, math.log(s2), 0]))
    for layer in (first.merge, second.merge, last):
        layer.weight.fill_(1.0)
    z = model.sample_prior(200_000, generator=torch.Generator().manual_seed(0))
    assert_close(torch.cov(z.T), torch.tensor([[1.0, a], [a, a**2 + s2]]), rtol=0.02, atol=0.02)
    assert_close(model.decode(z).mean.flatten(), torch.sigmoid(z.sum(1)))
    cool = model.sample_prior(200_000, generator=torch.Generator().manual_seed(0), temperature=t)
    assert_close(cool, t * z)


def test_samples_at_temperature_0_are_equal():
    x = build().sample(3, temperature=0.0)
    assert torch.equal(x[0], x[1])


def test_last_layers_of_branches_are_scaled_by_the_depth():
    """Variances of weights: 1/N of those of one block in the model with N = 16 blocks."""
    variances = []
    for groups in ([1], [16]):
        torch.manual_seed(0)
        model = VDVAE(image_shape=(1, 4, 4), network=Ladder(channels=[64], groups=groups))
        block = model.decoder.blocks[0]
        assert isinstance(block, Group)
        assert isinstance(block.block, ResidualBottleneck)
        layers = (block.prior[-1], block.block.residual[-1], block.merge)
        variances.append([layer.weight.detach().var() for layer in layers])
    assert_close(torch.tensor(variances[0]) / 16, torch.tensor(variances[1]), rtol=0.25, atol=0)


def test_errors_name_the_remedy():
    with pytest.raises(UserError, match=r"^model/network: VDVAE requires .* Set model/network=ladder\.$"):
        VDVAE(image_shape=(1, 8, 8), network=MLP())
    with pytest.raises(UserError, match=r"^model/network: VAE does not support .* Set model=vdvae, or"):
        VAE(image_shape=(1, 8, 8), network=SMALL)
    with pytest.raises(UserError, match=r"^model\.network\.groups=\[1\]: must be 2 numbers\. Set one per entry of"):
        Ladder(channels=[4, 8], groups=[1])
    with pytest.raises(UserError, match=r"^model\.network\.groups=\[1, 0\]: the last level, .* Set its number to 1"):
        Ladder(channels=[4, 8], groups=[1, 0])


def test_only_the_distribution_of_a_group_starts_small():
    group = Group((8, 4, 4), 2, 2)
    weights = group.prior[-1].weight  # of mu and log σ² of two latents, then of the features
    assert weights[4:].std() > 5 * weights[:4].std()
