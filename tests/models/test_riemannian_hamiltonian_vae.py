"""Tests of the Riemannian Hamiltonian VAE: its metric, energy and integrator, exact likelihoods, and its centroids."""

import math
from functools import partial

import pytest
import torch
from linear_gaussian import LinearGaussian
from small_training import quiet_trainer
from torch.distributions import MultivariateNormal

import vae_lightning
from vae_lightning.data import ArrayDataModule, DigitsDataModule
from vae_lightning.models import HamiltonianVAE, RiemannianHamiltonianVAE
from vae_lightning.models.riemannian_hamiltonian_vae import LocalMetric, Metric
from vae_lightning.networks import MLP

Riemannian = partial(RiemannianHamiltonianVAE, num_centroids=4, leapfrog_step_size=0.1)


def set_step_size(model, size):
    model.step_logit.data.fill_(math.log(2 * size / (1 - 2 * size)))


@pytest.fixture
def model(parts):
    """Return a model with wide posteriors, so that weights have a finite variance, and no tempering."""
    model = Riemannian(**{**parts, "latent_dim": 2})
    with torch.no_grad():
        model.posterior.logvar.bias += 0.7
        model.temperature_logit.fill_(40.0)
    return model.double()


@pytest.fixture
def metric():
    """Return a metric that varies a lot within the posteriors."""
    torch.manual_seed(1)
    factors = torch.randn(4, 2, 2).double()
    return Metric(torch.randn(4, 2).double(), (factors @ factors.mT).flatten(1), 1.5, 0.1)


def state(n=1):
    torch.manual_seed(2)
    return torch.rand(n, 1, 8, 8).double(), *torch.randn(2, n, 2).double()


def test_inverse_metric_is_the_regularized_sum_over_centroids(model):
    x = model.centroid_images.double() / 255
    entries = model.metric_factor(model.metric_encoder(x))
    z = torch.randn(3, 2).double()
    expected = 0.01 * torch.eye(2).double().repeat(3, 1, 1)
    for center, (a, b, c) in zip(model.encode(x).mu, entries, strict=True):
        factor = torch.stack([a.exp(), torch.zeros_like(a), b, c.exp()]).view(2, 2)
        for row in range(3):
            expected[row] += factor @ factor.T * torch.exp(-(z[row] - center).square().sum() / 1.5**2)
    torch.testing.assert_close(LocalMetric(model.metric(), z).inverse, expected)


def test_metric_is_symmetric_and_positive_definite_and_constant_far_away(model):
    near, far = (LocalMetric(model.metric(), scale * torch.randn(50, 2).double()).inverse for scale in (1, 1e3))
    assert torch.equal(near, near.mT)
    assert torch.linalg.eigvalsh(near).min() > 0.01
    torch.testing.assert_close(far, 0.01 * torch.eye(2).double().expand(50, 2, 2))


def test_momentum_has_the_metric_as_its_covariance(metric):
    z = state()[1].expand(2, 2)
    columns = LocalMetric(metric, z).momentum(torch.eye(2).double())
    torch.testing.assert_close(columns.T @ columns, torch.linalg.inv(LocalMetric(metric, z).inverse[0]))


def test_kinetic_energy_and_its_gradients(metric):
    """PyTorch's density of N(0, G), and automatic differentiation."""
    _, z, momentum = (t.requires_grad_() for t in state(3))
    local = LocalMetric(metric, z)
    energy = local.kinetic_energy(momentum)
    log_prob = MultivariateNormal(torch.zeros(2).double(), local.covariance).log_prob(momentum)
    torch.testing.assert_close(-energy - math.log(2 * math.pi), log_prob)
    by_z, by_momentum = torch.autograd.grad(energy.sum(), (z, momentum))
    torch.testing.assert_close(local.force(momentum), -by_z)
    torch.testing.assert_close(local.velocity(momentum), by_momentum)


@pytest.mark.parametrize("regularization", [1.0, 0.25])
def test_constant_metric_gives_the_hamiltonian_vae(parts, images, regularization, monkeypatch):
    """G = I / λ, which is I for momenta and step sizes multiplied by √λ."""
    torch.manual_seed(0)
    model = Riemannian(**parts).double()
    flat = Metric(torch.zeros(4, 3).double(), torch.zeros(4, 9).double(), 1.0, regularization)
    monkeypatch.setattr(model, "metric", lambda: flat)
    sibling = HamiltonianVAE(**parts).double()
    sibling.load_state_dict(model.state_dict(), strict=False)
    set_step_size(sibling, 0.1 * regularization**0.5)
    noise = torch.randn(14, 6).double()
    (q, z), (expected_q, expected_z) = (m.draw(images, None, 2, noise) for m in (model, sibling))
    torch.testing.assert_close(z, expected_z)
    torch.testing.assert_close(q.log_q, expected_q.log_q)


def test_integrator_is_reversible(model, metric):
    model.fixed_point_iterations = 60
    x, z, momentum = state(5)
    moved, final = model.move(z, momentum, x, None, metric)
    assert (moved - z).norm(dim=1).min() > 0.1
    back, reversed_momentum = model.move(moved, -final, x, None, metric)
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(reversed_momentum, -momentum)


def test_energy_error_is_of_third_order_in_the_step_size(model, metric):
    model.fixed_point_iterations = 30
    x, z, momentum = state(20)

    def energy(z, momentum):
        return -model.decode(z).log_prob(x) + 0.5 * z.square().sum(1) + LocalMetric(metric, z).kinetic_energy(momentum)

    changes = []
    for size in (0.002, 0.001):
        set_step_size(model, size)
        moved, final = model.move(z, momentum, x, None, metric)
        changes.append((energy(moved, final) - energy(z, momentum)).abs().mean().item())
    assert changes[0] / changes[1] == pytest.approx(8, rel=0.1)


@pytest.mark.parametrize(("iterations", "error"), [(1, 0.5), (3, 0.01), (20, 1e-12)])
def test_volume_is_preserved_as_the_iterations_converge(model, metric, iterations, error):
    model.fixed_point_iterations = iterations
    x, z, momentum = state()

    def move(joint):
        return torch.cat(model.move(joint[None, :2], joint[None, 2:], x, None, metric), dim=1)[0]

    jacobian = torch.autograd.functional.jacobian(move, torch.cat([z, momentum], dim=1)[0])
    assert jacobian.slogdet().logabsdet.abs().item() < error


def test_estimate_of_log_px_is_exact_for_a_linear_gaussian_model(parts, metric, monkeypatch):
    sigma = 0.3
    linear = {"network": MLP(hidden_dims=[]), "likelihood": LinearGaussian(sigma), "latent_dim": 2}
    model = Riemannian(**{**parts, **linear, "image_shape": (1, 2, 2)}, fixed_point_iterations=10).double().eval()
    set_step_size(model, 0.03)
    monkeypatch.setattr(model, "metric", lambda: metric)
    w, b = model.decoder[0].weight.detach(), model.decoder[0].bias.detach()
    px = MultivariateNormal(b, w @ w.T + sigma**2 * torch.eye(4))
    x = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    estimate = model.log_px(x, samples=10_000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(estimate, px.log_prob(x.flatten(1)).double(), rtol=0, atol=0.05)


def test_objective_has_the_gradient_of_finite_differences(model, images):
    """In a random direction of all parameters, those of the metric included."""
    torch.manual_seed(0)
    directions = [torch.randn_like(p) for p in model.parameters()]

    def loss(step):
        with torch.no_grad():
            for p, direction in zip(model.parameters(), directions, strict=True):
                p += step * direction
        torch.manual_seed(1)
        return model.objective(model(images))["loss"]

    gradients = torch.autograd.grad(loss(0.0), list(model.parameters()))
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    difference = (loss(1e-6) - loss(-2e-6)) / 2e-6
    torch.testing.assert_close(difference, slope, rtol=1e-5, atol=0)


def test_draws_in_inference_mode_equal_those_without(model):
    x, noise = torch.rand(3, 1, 8, 8).double(), torch.randn(6, 4).double()
    expected, expected_z = model.draw(x, None, 2, noise)
    with torch.inference_mode():
        q, z = model.draw(x * 1, None, 2, noise)
    torch.testing.assert_close(z, expected_z)
    torch.testing.assert_close(q.log_q, expected.log_q)


def test_centroids_of_float_images_are_rounded(parts):
    x = torch.rand(60, 1, 8, 8)
    data = ArrayDataModule(x, dtype="float32")
    model = Riemannian(**{**parts, "num_classes": None})
    quiet_trainer(max_steps=1).fit(model, data)
    centroids = model.centroid_images / 255
    assert torch.cdist(centroids.flatten(1), x.flatten(1), p=torch.inf).amin(1).max() < 0.5001 / 255


def test_training_images_are_the_centroids_and_belong_to_the_checkpoint(parts, tmp_path):
    data = DigitsDataModule(image_shape=(1, 8, 8))
    model = Riemannian(**{**parts, "conditional": True})
    trainer = quiet_trainer(max_steps=1)
    trainer.fit(model, data)
    train = data.splits["train"]
    indices = [int((train.x == image).all(dim=(1, 2, 3)).nonzero()) for image in model.centroid_images]
    assert len({*indices}) == 4
    assert torch.equal(model.centroid_labels.argmax(1), train.y[indices])
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = vae_lightning.load(tmp_path / "model.ckpt")
    assert torch.equal(loaded.centroid_images, model.centroid_images)
    z = torch.randn(2, 3)
    assert torch.equal(LocalMetric(loaded.metric(), z).inverse, LocalMetric(model.metric(), z).inverse)


def test_samples_by_volume_follow_the_volume_element(model, monkeypatch):
    """With one centroid and hardly any regularization, √|G⁻¹| is a Gaussian with the variance T² / D."""
    center = torch.tensor([[2.0, -3.0]]).double()
    single = Metric(center, torch.eye(2).double().flatten()[None], 1.5, 1e-9)
    monkeypatch.setattr(model, "metric", lambda: single)
    monkeypatch.setattr("vae_lightning.models.riemannian_hamiltonian_vae.TRANSITIONS", 20)
    z = model.sample_prior(1000, generator=torch.Generator().manual_seed(0), volume=True)
    torch.testing.assert_close(z.mean(0), center[0], rtol=0, atol=0.15)
    torch.testing.assert_close(z.T.cov(), 1.5**2 / 2 * torch.eye(2).double(), rtol=0, atol=0.2)
    assert model.sample(3, volume=True).shape == (3, 1, 8, 8)


def test_large_entries_of_the_metric_have_finite_gradients(model):
    rows, columns = torch.tril_indices(model.latent_dim, model.latent_dim)
    with torch.no_grad():
        model.metric_factor.weight.zero_()
        model.metric_factor.bias.copy_(torch.where(rows == columns, 0.0, 100.0))
    model.metric().matrices.sum().backward()
    assert model.metric_factor.bias.grad.isfinite().all()
