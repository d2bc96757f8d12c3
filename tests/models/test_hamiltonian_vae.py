"""Tests of the Hamiltonian VAE: volume, energy, the likelihood by quadrature, and inference mode."""

import pytest
import torch
from torch.distributions import Normal

from vae_lightning.distributions import Laplace
from vae_lightning.errors import UserError
from vae_lightning.models import HamiltonianVAE
from vae_lightning.networks import ResNet


@pytest.fixture
def model(parts):
    """Return a model whose steps move the latents far."""
    torch.manual_seed(0)
    model = HamiltonianVAE(**{**parts, "latent_dim": 2}, leapfrog_step_size=0.1)
    with torch.no_grad():
        model.step_logit += torch.tensor([0.5, -0.5])
        model.posterior.logvar.bias += 0.7  # wide, so that the weights have a finite variance
    return model.double()


def test_moving_preserves_volume(model):
    x = torch.rand(1, 1, 8, 8).double()

    def move(state):
        return torch.cat(model.move(state[None, :2], state[None, 2:], x, None), dim=1)[0]

    state = torch.randn(4).double()
    assert (move(state) - state).norm() > 0.1
    assert torch.autograd.functional.jacobian(move, state).det().abs().item() == pytest.approx(1)


def test_weights_of_draws_average_to_the_likelihood(model):
    """p(x) by quadrature over z."""
    n = 20_000
    x = torch.rand(1, 1, 8, 8).double()
    axis = torch.linspace(-7, 7, 141).double()
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        log_joint = model.decode(grid).log_prob(x.expand(len(grid), 1, 8, 8)) + Normal(0.0, 1.0).log_prob(grid).sum(1)
        log_px = torch.logsumexp(log_joint, dim=0) + 2 * torch.log(axis[1] - axis[0])
        torch.manual_seed(0)
        q, p, z = model.infer(x, num_samples=n)
        log_w = model.decode(z).log_prob(x.expand(n, 1, 8, 8)) + p.log_prob(z) - q.log_prob(z)
    ratios = torch.exp(log_w - log_px)
    assert ratios.mean().item() == pytest.approx(1, abs=5 * ratios.std().item() / n**0.5)
    assert ratios.std() < 2


def test_energy_is_conserved_by_small_steps(model):
    """Without tempering, log p(x, z) - ½ ‖ρ‖² changes by an amount of the order of the squared step size."""
    with torch.no_grad():
        model.temperature_logit.fill_(40.0)
        x, z, momentum = torch.rand(5, 1, 8, 8).double(), *torch.randn(2, 5, 2).double()
        changes = []
        for step_logit in (-3.0, -3.0 - torch.log(torch.tensor(2.0)).item()):
            model.step_logit.fill_(step_logit)
            moved, final = model.move(z, momentum, x, None)

            def energy(z, momentum):
                return -model.decode(z).log_prob(x) + 0.5 * z.square().sum(1) + 0.5 * momentum.square().sum(1)

            changes.append((energy(moved, final) - energy(z, momentum)).abs().mean().item())
    assert changes[0] / changes[1] > 3


def test_momentum_is_cooled_to_inverse_temperature_1(model):
    scales = model.momentum_scales()
    assert scales[0].item() == pytest.approx(0.3**-0.5, rel=1e-6)
    assert scales[-1].item() == 1
    expected = 1 / ((1 - 0.3**-0.5) * (2 / 4) ** 2 + 0.3**-0.5)
    assert 1 / scales[2].item() == pytest.approx(expected, rel=1e-6)


def test_draws_in_inference_mode_equal_those_without(model):
    x, noise = torch.rand(3, 1, 8, 8).double(), torch.randn(6, 4).double()
    expected = model.infer(x, num_samples=2, noise=noise)
    with torch.inference_mode():
        q, _, z = model.infer(x * 1, num_samples=2, noise=noise)
    torch.testing.assert_close(z, expected[2])
    torch.testing.assert_close(q.log_prob(z), expected[0].log_q)


def test_attention_is_differentiated_twice(parts, images):
    model = HamiltonianVAE(**{**parts, "network": ResNet(channels=[4, 8], blocks=1, attention=True)})
    model.objective(model(images))["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's own
def test_compiled_networks_give_the_same_gradients(parts, images):
    model = HamiltonianVAE(**parts)
    gradients = []
    for compiled in (False, True):
        if compiled:
            for network in (model.encoder, model.posterior, model.decoder):
                network.compile(backend="aot_eager")
        torch.manual_seed(0)
        model.zero_grad()
        model.objective(model(images))["loss"].backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_scale_fitted_to_images_on_the_way_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model\.likelihood\.scale_type=optimal: HamiltonianVAE also decodes"):
        HamiltonianVAE(**{**parts, "likelihood": Laplace(scale_type="optimal")})


@pytest.mark.parametrize(("option", "value"), [("leapfrog_step_size", 0.5), ("inverse_temperature", 1.0)])
def test_values_out_of_range_are_rejected(option, value, parts):
    with pytest.raises(UserError, match=rf"^model\.{option}={value}: must be between 0 and {value}\. Set model\."):
        HamiltonianVAE(**parts, **{option: value})
