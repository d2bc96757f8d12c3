"""Tests of normalizing flows: they integrate to one, equal the change of variables, and invert."""

import sys

import pytest
import torch
from prior_shapes import SHAPES
from torch.distributions import Normal

from vae_lightning.errors import UserError
from vae_lightning.priors import AutoregressiveFlow, CouplingFlow

FLOWS = [AutoregressiveFlow, CouplingFlow]


def random_flow(cls, condition_dim=0):
    """Return a flow far from the identity, of latents with another scale."""
    torch.manual_seed(0)
    prior = cls(**SHAPES | {"condition_dim": condition_dim}, transforms=3, hidden_dims=(16,)).double()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    prior.initialize_from_latents(torch.tensor([[1.0, -1.0], [3.0, 3.0]]).double())
    return prior


@pytest.mark.parametrize("cls", FLOWS)
def test_density_integrates_to_one(cls):
    p = random_flow(cls)(None, None)
    axis = torch.linspace(-15, 15, 301).double()
    with torch.no_grad():
        total = p.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (axis[1] - axis[0]) ** 2
    assert total.item() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("cls", FLOWS)
def test_density_equals_the_change_of_variables_and_samples_invert_it(cls):
    prior = random_flow(cls)
    p = prior(None, None)
    z = p.sample(4, torch.Generator().manual_seed(1))
    torch.testing.assert_close(z, p.sample(4, torch.Generator().manual_seed(1)))
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(1)).double()

    def to_noise(z):
        return p.u.flow(None).transform(p.standardize(z))

    torch.testing.assert_close(to_noise(z), noise, atol=1e-5, rtol=1e-5)
    jacobian = torch.stack([torch.autograd.functional.jacobian(to_noise, row) for row in z])
    expected = Normal(0.0, 1.0).log_prob(to_noise(z)).sum(1) + jacobian.det().abs().log()
    torch.testing.assert_close(p.log_prob(z), expected)


@pytest.mark.parametrize("cls", FLOWS)
def test_density_depends_on_the_condition(cls):
    prior = random_flow(cls, condition_dim=3)
    z = torch.randn(3, 2).double()
    log_probs = prior(None, torch.eye(3).double()).log_prob(z)
    swapped = prior(None, torch.eye(3)[[1, 0, 2]].double()).log_prob(z)
    assert (log_probs[:2] != swapped[:2]).all()
    assert log_probs[2] == swapped[2]
    assert prior(None, torch.eye(3).double()).sample(3).shape == (3, 2)


@pytest.mark.parametrize("cls", FLOWS)
def test_density_and_samples_do_not_run_in_half_precision(cls):
    prior = random_flow(cls).float()
    z = torch.randn(5, 2)
    expected = prior(None, None).log_prob(z), prior(None, None).sample(5, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        p = prior(None, None)
        assert torch.equal(p.log_prob(z), expected[0])
        assert torch.equal(p.sample(5, torch.Generator().manual_seed(0)), expected[1])


def test_flow_of_one_latent_raises():
    with pytest.raises(UserError, match=r"model\.latent_dim=1: a flow needs at least 2"):
        CouplingFlow(**SHAPES | {"latent_dim": 1})


def test_missing_package_raises(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    monkeypatch.setattr("vae_lightning.priors.flows.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install zuko"):
        AutoregressiveFlow(**SHAPES)
