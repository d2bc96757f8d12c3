"""Tests of flow matching on Gaussians, where velocity, loss and map are known in closed form."""

import pytest
import torch
from prior_shapes import SHAPES

from vae_lightning.priors import FlowMatching
from vae_lightning.priors.flow_matching import integrate

MEAN, STD = 2.0, 0.5  # of the Gaussian at time 1


def exact_velocity(u, t):
    """E[u_1 - u_0 | u_t] on the lines from N(0, 1) to N(MEAN, STD²)."""
    t = t[:, None]
    variance = (1 - t) ** 2 + (t * STD) ** 2
    return MEAN + (t * STD**2 - (1 - t)) / variance * (u - t * MEAN)


def test_integration_of_the_exact_velocity_is_the_monotone_map():
    u = torch.linspace(-3, 3, 7)[:, None].double()
    errors = [(integrate(exact_velocity, u, steps) - (MEAN + STD * u)).abs().max() for steps in (20, 40)]
    assert errors[0] < 5e-3
    assert errors[1] < errors[0] / 3.5  # of second order


def test_loss_of_the_exact_velocity_is_the_conditional_variance():
    torch.manual_seed(0)
    prior = FlowMatching(**SHAPES | {"latent_dim": 1, "latent_shape": 1}, width=8, blocks=1)
    prior.field = lambda u, t, condition: exact_velocity(u, t)
    z = MEAN + STD * torch.randn(400_000, 1)
    t = torch.linspace(0, 1, 10_001)
    expected = torch.trapezoid(STD**2 / ((1 - t) ** 2 + (t * STD) ** 2), t)  # Var(u_1 - u_0 | u_t)
    assert prior.loss(prior(None, None), z).mean().item() == pytest.approx(expected.item(), rel=0.01)


@pytest.mark.parametrize("latent_shape", [1, (1, 1, 1)])
def test_training_learns_a_gaussian_per_class(latent_shape):
    torch.manual_seed(0)
    shapes = SHAPES | {"latent_dim": 1, "latent_shape": latent_shape, "condition_dim": 2}
    prior = FlowMatching(**shapes, width=16, blocks=1, drop_condition=0.2)
    y = torch.eye(2).repeat(128, 1)
    optimizer = torch.optim.Adam(prior.parameters(), 5e-3)
    mean, std = torch.tensor([[-3.0], [5.0]]).repeat(128, 1), torch.tensor([[0.5], [1.5]]).repeat(128, 1)
    prior.initialize_from_latents(torch.cat([mean, mean]) + 1.1)
    for _ in range(300):
        optimizer.zero_grad()
        prior.loss(prior(None, y), mean + std * torch.randn(256, 1)).mean().backward()
        optimizer.step()
    prior.eval()
    with torch.no_grad():
        samples = prior(None, y.repeat(8, 1)).sample(2048, torch.Generator().manual_seed(0)).view(-1, 2)
    torch.testing.assert_close(samples.mean(0), torch.tensor([-3.0, 5.0]), atol=0.6, rtol=0)
    torch.testing.assert_close(samples.std(0), torch.tensor([0.5, 1.5]), atol=0.4, rtol=0)


def test_guidance_of_zero_ignores_the_condition():
    torch.manual_seed(0)
    shapes = SHAPES | {"condition_dim": 3, "latent_dim": 8, "latent_shape": (2, 2, 2)}
    prior = FlowMatching(**shapes, width=16, blocks=2).eval()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    condition = torch.eye(3)

    def sample(guidance, condition):
        prior.guidance = guidance
        with torch.no_grad():
            return prior(None, condition).sample(3, torch.Generator().manual_seed(0))

    assert sample(1.0, condition).shape == (3, 8)
    torch.testing.assert_close(sample(0.0, condition), sample(1.0, None))
    assert not torch.allclose(sample(2.0, condition), sample(1.0, condition))
