"""Tests that NaN and infinity stop a run at the batch in which they appear, and never reach a checkpoint."""

import math
from types import SimpleNamespace

import lightning as L
import pytest
import torch

from vae_lightning.callbacks import TerminateOnNaN
from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]
EVERY_BATCH = "callbacks.last.every_n_train_steps=1"


class SpoilTerm(L.Callback):
    """Multiplies one term of the objective by `value` in the n-th batch."""

    def __init__(self, term: str, n: int, value: float = math.nan) -> None:
        self.term, self.n, self.value = term, n, value

    def on_train_start(self, trainer, pl_module):
        objective = pl_module.objective

        def spoiled(out):
            terms = objective(out)
            self.n -= pl_module.training
            if self.n == 0 and pl_module.training:
                terms[self.term] = terms[self.term] * self.value
                terms["loss"] = terms["loss"] + terms[self.term]
            return terms

        pl_module.objective = spoiled


class SpoilGradient(L.Callback):
    """Makes one gradient infinite in the n-th step of an optimizer."""

    def __init__(self, n: int) -> None:
        self.n = n

    def on_after_backward(self, trainer, pl_module):
        self.n -= 1
        if self.n == 0:
            next(pl_module.decoder.parameters()).grad[0] = math.inf


def spoil(kind: str, **options) -> str:
    values = ", ".join(f"{name}: {value}" for name, value in options.items())
    return f"+callbacks.spoil={{_target_: test_terminate_on_nan.{kind}, {values}}}"


@pytest.mark.parametrize("model", ["vae", "beta_tcvae", "factor_vae", "vae_gan"])
def test_error_names_the_batch_and_the_term(model, small, tmp_path):
    spoil_term = spoil("SpoilTerm", term="distortion", n=8)
    with pytest.raises(
        UserError, match=r"^batch 8 \(epoch 2\): distortion .*last.ckpt. Start a new run with a smaller"
    ):
        train(small(*QUICK, f"model={model}", EVERY_BATCH, spoil_term))
    for file in (tmp_path / "run" / "checkpoints").iterdir():
        assert all(value.isfinite().all() for value in load_verified(file)["state_dict"].values())
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_infinity_stops_a_run_as_well(small):
    with pytest.raises(UserError, match=r"^batch 2 \(epoch 1\): rate .* No checkpoint had been written"):
        train(small(*QUICK, spoil("SpoilTerm", term="rate", n=2, value="inf")))


@pytest.mark.parametrize("model", ["vae", "factor_vae"])
def test_error_names_the_gradient(model, small):
    message = r"^batch 3 \(epoch 1\): the gradient of decoder\..* the loss is finite"
    n = 3 if model == "vae" else 5  # two steps per batch
    with pytest.raises(UserError, match=message):
        train(small(*QUICK, f"model={model}", spoil("SpoilGradient", n=n)))


@pytest.mark.parametrize(("scaler", "kept"), [(None, 1), (object(), 0)])
def test_infinite_gradients_are_left_to_a_gradient_scaler(scaler, kept, tmp_path):
    """It skips such steps, which are normal with 16-bit floats."""
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.full((2,), math.inf)
    progress = SimpleNamespace(total=SimpleNamespace(ready=1))
    trainer = SimpleNamespace(
        precision_plugin=SimpleNamespace(scaler=scaler),
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress)),
        current_epoch=0,
    )
    callback = TerminateOnNaN(tmp_path)
    callback.parameters = {"weight": weight}
    callback.on_before_optimizer_step(trainer, None)
    assert len(callback.gradients) == kept


def test_a_delayed_check_names_the_first_bad_batch(small, monkeypatch):
    """Checks are delayed on devices where each of them would make the host wait."""
    monkeypatch.setattr("vae_lightning.callbacks.terminate_on_nan.SYNCHRONOUS_DEVICES", ())
    with pytest.raises(UserError, match=r"^batch 7 \(epoch 2\): rate "):
        train(small(*QUICK, spoil("SpoilTerm", term="rate", n=7)))


def test_weights_that_are_not_finite_are_not_saved(small, tmp_path):
    train(small(*QUICK, "trainer.max_epochs=1"))
    before = (tmp_path / "run/checkpoints/last.ckpt").read_bytes()
    spoil_weight = "+callbacks.spoil={_target_: test_terminate_on_nan.SpoilWeight}"
    with pytest.raises(UserError, match=r"decoder\..* is not finite, so no checkpoint was written"):
        train(small(*QUICK, f"resume={tmp_path / 'run'}", spoil_weight))
    assert (tmp_path / "run/checkpoints/last.ckpt").read_bytes() == before


class SpoilWeight(L.Callback):
    """Makes a weight NaN at the end of each epoch."""

    def on_validation_end(self, trainer, pl_module):
        with torch.no_grad():
            next(pl_module.decoder.parameters())[0] = math.nan


def test_a_learning_rate_that_is_far_too_large_stops_the_run(small):
    options = ["model.optimizer.lr=1e30", "trainer.max_epochs=3"]
    with pytest.raises(UserError, match=r"^batch \d+ \(epoch 1\): .* smaller model.optimizer.lr"):
        train(small(*QUICK, *options))


class SpoilEvaluation(L.Callback):
    """Makes the loss of each batch of a stage infinite."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def on_train_start(self, trainer, pl_module):
        update = pl_module.means[self.stage].update
        pl_module.means[self.stage].update = lambda n, terms: update(n, {**terms, "loss": terms["loss"] * math.inf})


@pytest.mark.parametrize(("stage", "checkpoints"), [("val", set()), ("test", {"best.ckpt", "last.ckpt"})])
def test_an_infinite_validation_or_test_loss_stops_the_run(stage, checkpoints, small, tmp_path):
    with pytest.raises(UserError, match=rf"^{stage}/loss is inf: .* Start a new run with a smaller"):
        train(small(*QUICK, "trainer.max_epochs=1", spoil("SpoilEvaluation", stage=stage)))
    assert {file.name for file in tmp_path.glob("run/checkpoints/*")} == checkpoints


def test_an_initial_loss_that_is_not_finite_raises_an_error_before_anything_is_written(small, tmp_path):
    with pytest.raises(UserError, match=r"^model: loss and objective of the first images are not finite"):
        train(small(*QUICK, "model=annealed_vae", "model.gamma=3e38"))
    assert not list(tmp_path.iterdir())
