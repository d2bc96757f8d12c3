"""NaN and infinity stop a run where they appear, and no checkpoint holds them."""

import math

import lightning as L
import pytest
import torch

from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]
EVERY_BATCH = "callbacks.last.every_n_train_steps=1"


class SpoilTerm(L.Callback):
    """Let one term of the objective be `value` in the n-th batch."""

    def __init__(self, term: str, n: int, value: float = math.nan) -> None:
        self.term, self.n, self.value = term, n, value

    def on_train_start(self, trainer, pl_module):
        objective = pl_module.objective

        def spoilt(s):
            terms = objective(s)
            self.n -= pl_module.training
            if self.n == 0 and pl_module.training:
                terms[self.term] = terms[self.term] * self.value
                terms["loss"] = terms["loss"] + terms[self.term]
            return terms

        pl_module.objective = spoilt


class SpoilGradient(L.Callback):
    """Let one gradient be infinite at the n-th step of an optimiser."""

    def __init__(self, n: int) -> None:
        self.n = n

    def on_after_backward(self, trainer, pl_module):
        self.n -= 1
        if self.n == 0:
            next(pl_module.decoder.parameters()).grad[0] = math.inf


def spoil(kind: str, **options) -> str:
    values = ", ".join(f"{name}: {value}" for name, value in options.items())
    return f"+callbacks.spoil={{_target_: test_numbers_gone_wrong.{kind}, {values}}}"


@pytest.mark.parametrize("model", ["vae", "beta_tcvae", "factor_vae", "vae_gan"])
def test_the_batch_and_the_term_are_named(model, small, tmp_path):
    spoilt = spoil("SpoilTerm", term="distortion", n=8)
    with pytest.raises(UserError, match=r"^batch 8 \(epoch 2\): distortion .*last.ckpt; start anew with a smaller"):
        train(small(*QUICK, f"model={model}", EVERY_BATCH, spoilt))
    for file in (tmp_path / "run" / "checkpoints").iterdir():
        assert all(value.isfinite().all() for value in load_verified(file)["state_dict"].values())
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_infinity_is_no_better(small):
    with pytest.raises(UserError, match=r"^batch 2 \(epoch 1\): rate .* no checkpoint had been written"):
        train(small(*QUICK, spoil("SpoilTerm", term="rate", n=2, value="inf")))


@pytest.mark.parametrize("model", ["vae", "factor_vae"])
def test_the_gradient_is_named(model, small):
    message = r"^batch 3 \(epoch 1\): the gradient of decoder\..* the loss is finite"
    n = 3 if model == "vae" else 5  # two steps a batch
    with pytest.raises(UserError, match=message):
        train(small(*QUICK, f"model={model}", spoil("SpoilGradient", n=n)))


def test_a_look_that_comes_late_names_the_first_bad_batch(small, monkeypatch):
    """As on a device that each look would make wait."""
    monkeypatch.setattr("vae_lightning.callbacks.terminate_on_nan.SYNCHRONOUS_DEVICES", ())
    with pytest.raises(UserError, match=r"^batch 7 \(epoch 2\): rate "):
        train(small(*QUICK, spoil("SpoilTerm", term="rate", n=7)))


def test_weights_that_are_not_finite_are_not_written(small, tmp_path):
    train(small(*QUICK, "trainer.max_epochs=1"))
    before = (tmp_path / "run/checkpoints/last.ckpt").read_bytes()
    spoilt = "+callbacks.spoil={_target_: test_numbers_gone_wrong.SpoilWeight}"
    with pytest.raises(UserError, match=r"decoder\..* is no longer finite, no checkpoint was written"):
        train(small(*QUICK, f"resume={tmp_path / 'run'}", spoilt))
    assert (tmp_path / "run/checkpoints/last.ckpt").read_bytes() == before


class SpoilWeight(L.Callback):
    """Let a weight be no number once an epoch is over."""

    def on_validation_end(self, trainer, pl_module):
        with torch.no_grad():
            next(pl_module.decoder.parameters())[0] = math.nan


def test_a_learning_rate_that_is_far_too_large_is_told(small):
    options = ["model.optimizer.lr=1e30", "trainer.max_epochs=3"]
    with pytest.raises(UserError, match=r"^batch \d+ \(epoch 1\): .* smaller model.optimizer.lr"):
        train(small(*QUICK, *options))


class SpoilEvaluation(L.Callback):
    """Let the loss of each batch of a stage be infinite."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def on_train_start(self, trainer, pl_module):
        update = pl_module.means[self.stage].update
        pl_module.means[self.stage].update = lambda n, terms: update(n, {**terms, "loss": terms["loss"] * math.inf})


@pytest.mark.parametrize(("stage", "checkpoints"), [("val", set()), ("test", {"best.ckpt", "last.ckpt"})])
def test_a_validation_and_a_test_that_went_wrong_are_told(stage, checkpoints, small, tmp_path):
    with pytest.raises(UserError, match=rf"^{stage}/loss is inf: .* start anew with a smaller"):
        train(small(*QUICK, "trainer.max_epochs=1", spoil("SpoilEvaluation", stage=stage)))
    assert {file.name for file in tmp_path.glob("run/checkpoints/*")} == checkpoints


def test_weights_that_are_too_large_from_the_start_are_told_before_anything_is_written(small, tmp_path):
    with pytest.raises(UserError, match=r"^model: loss and objective of the first images is infinite or no number"):
        train(small(*QUICK, "model=annealed_vae", "model.gamma=3e38"))
    assert not list(tmp_path.iterdir())
