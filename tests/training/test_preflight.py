"""Tests of the checks before a run starts. Nothing is written if one of them fails."""

import json
from collections.abc import Callable
from typing import ClassVar

import lightning as L
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from vae_lightning.errors import UserError
from vae_lightning.models import VAE
from vae_lightning.regularizers import KL
from vae_lightning.training.train import train


def test_classes_of_a_directory_are_counted(small, tmp_path):
    for k in range(3):
        (tmp_path / "photos" / f"class{k}").mkdir(parents=True)
        for n in range(10):
            Image.fromarray(np.full((8, 8), 60 * k + n, np.uint8)).save(tmp_path / "photos" / f"class{k}" / f"{n}.png")
    options = ["model=cvae", "data=image_folder", f"data.root={tmp_path / 'photos'}", "data.image_shape=[1,8,8]"]
    train(small(*options, "trainer.max_epochs=1"))
    config = yaml.safe_load((tmp_path / "run" / ".hydra" / "config.yaml").read_text())
    assert config["data"]["num_classes"] == config["model"]["num_classes"] == 3
    train(small(*options, "trainer.max_epochs=2", f"resume={tmp_path / 'run'}"))


def test_missing_validation_images_of_a_directory_are_reported(small, tmp_path):
    (tmp_path / "photos").mkdir()
    for n in range(20):
        Image.fromarray(np.full((8, 8), n, np.uint8)).save(tmp_path / "photos" / f"{n}.png")
    options = [
        "data=image_folder",
        f"data.root={tmp_path / 'photos'}",
        "data.image_shape=[1,8,8]",
        "data.val_fraction=0",
    ]
    with pytest.raises(UserError, match=r"^monitor=val/objective: there are no validation images. Set monitor=train/o"):
        train(small(*options))
    assert not (tmp_path / "run").exists()


def test_factors_are_no_condition(small, tmp_path):
    with pytest.raises(UserError, match=r"model.conditional=true: the data has factors, not classes. Set model.cond"):
        train(small("model=cvae", "data=sprites", "data.image_shape=[1,16,16]"))


class LogsMine(L.Callback):
    """A callback of the user's own, whose metric is best in the first epoch."""

    def on_validation_epoch_end(self, trainer, model):
        model.log("val/mine", float(trainer.current_epoch))

    def on_test_epoch_end(self, trainer, model):
        model.log("test/mine", 7.0)


def test_metric_of_an_own_callback_selects_the_checkpoint_and_is_recorded(small, tmp_path):
    with pytest.raises(UserError, match=r"^monitor=val/mine: not logged\. Use val/ followed by one of"):
        train(small("monitor=val/mine"))
    train(small("monitor=val/mine", f"+callbacks.mine._target_={__name__}.LogsMine"))
    assert torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test/mine"] == 7


class Detached(KL):
    """A regularizer whose penalty is a number."""

    def forward(self, out):
        penalty, terms = super().forward(out)
        return penalty.item(), terms


class WithDetached(VAE):
    """A VAE with that regularizer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.regularizer = Detached(beta=1.0)


def test_penalty_without_gradient_is_reported(small, tmp_path):
    message = r"^Detached\.forward: the penalty has no gradient\. Compute it from tensors, without item\(\)"
    with pytest.raises(UserError, match=message):
        train(small(f"model._target_={__name__}.WithDetached"))
    assert not (tmp_path / "run").exists()


class OwnTerms(VAE):
    """A VAE with further terms, which a test sets."""

    change: ClassVar[Callable] = dict

    def objective(self, out):
        return OwnTerms.change(super().objective(out))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda terms: {**terms, "mine": torch.zeros(2)},
            r"objective: mine has shape \(2,\)\. Average it over the batch",
        ),
        (lambda terms: None, "objective: must return a dictionary with loss and objective, not NoneType"),
        (lambda terms: {"loss": terms["loss"], "a": 1.0}, "with loss and objective, not loss, a"),
        (lambda terms: {**terms, "loss": terms["loss"].detach()}, "objective: loss has no gradient"),
        (lambda terms: {**terms, "nelbo": terms["loss"]}, "objective: nelbo is logged by the model. Use another name"),
        (lambda terms: {**terms, "beta": 1.0}, "objective: beta is logged by the model"),
        (lambda terms: {**terms, "mine": float("inf")}, "model: mine of the first images is not finite"),
    ],
)
def test_what_an_objective_returns_is_checked(change, message, small, tmp_path, monkeypatch):
    monkeypatch.setattr(OwnTerms, "change", change)
    with pytest.raises(UserError, match=message):
        train(small(f"model._target_={__name__}.OwnTerms"))
    assert not (tmp_path / "run").exists()


def test_a_term_may_be_a_number(small, tmp_path, monkeypatch):
    monkeypatch.setattr(OwnTerms, "change", lambda terms: {**terms, "mine": 3})
    train(small(f"model._target_={__name__}.OwnTerms", "trainer.max_epochs=1", "callbacks=minimal"))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test/mine"] == 3
