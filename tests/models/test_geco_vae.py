"""Tests of GECO: one step by hand, and convergence to the tolerance."""

import math
from functools import partial

import pytest
import torch
from small_training import digits, quiet_trainer

from vae_lightning.models import GECOVAE, VAE, AnnealedVAE


def test_steps_match_algorithm_1(parts, images):
    """Average and λ of two batches by hand; the first loss has λ = 1."""
    model = GECOVAE(tolerance=40.0, step_size=0.1, decay=0.9, **parts)
    first, second = (model.objective(model(images)) for _ in range(2))
    c1, c2 = first["distortion"] - 40, second["distortion"] - 40
    average = 0.9 * c1 + 0.1 * c2
    assert first["lambda"] == 1
    torch.testing.assert_close(first["constraint"], c1)
    torch.testing.assert_close(first["loss"], first["rate"] + c1)
    assert c1 > 0.64  # 0.01 nats for each of the 64 values, so the step is full
    torch.testing.assert_close(second["lambda"], torch.tensor(math.exp(0.1)))
    torch.testing.assert_close(model.average, average)
    torch.testing.assert_close(second["loss"], second["rate"] + second["lambda"] * average)


def test_a_small_constraint_takes_a_part_of_the_step(parts):
    model = GECOVAE(step_size=0.1, **parts)
    model.update_lambda(torch.tensor(-0.16))
    assert model.log_lambda.item() == pytest.approx(-0.025)


def test_gradient_is_that_of_the_rate_and_the_weighted_distortion(parts, images):
    model, vae = GECOVAE(**parts), VAE(**parts)
    vae.load_state_dict(model.state_dict(), strict=False)
    model.log_lambda.fill_(math.log(3))
    for either in (model, vae):
        torch.manual_seed(1)
        terms = either.objective(either(images))
        (terms["loss"] if either is model else terms["rate"] + 3 * terms["distortion"]).backward()
    for actual, expected in zip(model.parameters(), vae.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad)


def test_objective_does_not_depend_on_lambda_and_evaluation_does_not_change_it(parts, images):
    model = GECOVAE(tolerance=40.0, **parts).eval()
    torch.manual_seed(1)
    before = model.objective(model(images))
    assert (model.log_lambda, model.num_steps) == (0, 0)
    model.log_lambda += 1
    torch.manual_seed(1)
    after = model.objective(model(images))
    assert after["loss"] > before["loss"]
    assert after["objective"] == before["objective"]
    torch.testing.assert_close(after["objective"], after["rate"] + 10 * after["constraint"])
    model.tolerance = 50.0
    assert model.objective(model(images))["objective"] == after["rate"]


@pytest.mark.parametrize("eval_batch_size", [2, 500])
def test_objective_of_an_epoch_is_that_of_its_means_whatever_the_batches(eval_batch_size, parts):
    """About half of the batches are above the tolerance, or the capacity, which is that of the first pass."""
    data = digits()
    data.eval_batch_size = eval_batch_size

    def validate(model):
        (found,) = quiet_trainer().validate(model, data, verbose=False)
        return (found[f"val/{name}"] for name in ("rate", "distortion", "objective"))

    geco, annealed = GECOVAE(**parts), AnnealedVAE(gamma=1000.0, **parts)
    _, geco.tolerance, _ = validate(geco)
    rate, distortion, objective = validate(geco)
    assert objective == pytest.approx(rate + 10 * max(0, distortion - geco.tolerance), rel=1e-3)
    annealed.regularizer.capacity, _, _ = validate(annealed)
    rate, distortion, objective = validate(annealed)
    assert objective == pytest.approx(distortion + 1000 * abs(rate - annealed.regularizer.capacity), rel=1e-3)


def test_training_converges_to_the_tolerance(parts):
    """The stricter tolerance needs a higher rate and a larger λ."""
    images = (torch.rand(64, 1, 8, 1, generator=torch.Generator().manual_seed(0)) < 0.5).float().expand(-1, -1, -1, 8)
    adam = partial(torch.optim.Adam, lr=1e-2)
    final = []
    for tolerance in (10.0, 36.0):
        model = GECOVAE(tolerance=tolerance, decay=0.9, step_size=0.02, **{**parts, "optimizer": adam})
        optimizer = model.configure_optimizers()
        constraints = []
        for _ in range(800):
            terms = model.objective(model(images))
            optimizer.zero_grad()
            terms["loss"].backward()
            optimizer.step()
            constraints.append(terms["constraint"])
        assert torch.stack(constraints[-200:]).mean().item() == pytest.approx(0, abs=0.3)
        final.append(terms)
    strict, loose = final
    assert strict["rate"] > 2 * loose["rate"]
    assert strict["lambda"] > 1.5 * loose["lambda"]
