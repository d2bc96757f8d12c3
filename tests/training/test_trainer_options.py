"""Tests that every option of Lightning's Trainer can be set by its name."""

import inspect

import lightning as L
import pytest
import yaml
from conftest import ROOT, SMALL

import vae_lightning
from vae_lightning.config.overrides import normalize
from vae_lightning.config.schema import TRAINER_OPTIONS
from vae_lightning.errors import UserError

QUICK = [o for o in SMALL if "progress_bar" not in o]


def test_every_trainer_option_is_in_conf_or_in_the_schema():
    options = set(inspect.signature(L.Trainer.__init__).parameters) - {"self", "callbacks", "logger"}
    in_conf = set(yaml.safe_load((ROOT / "conf" / "trainer" / "default.yaml").read_text())) - {"_target_"}
    assert options == in_conf | set(TRAINER_OPTIONS)
    assert not in_conf & set(TRAINER_OPTIONS)


def test_trainer_options_need_no_plus_prefix():
    assert normalize(["trainer.max_steps=5", "+trainer.max_time=1", "trainer.max_epochs=2", "~trainer.strategy"]) == [
        "++trainer.max_steps=5",
        "++trainer.max_time=1",
        "trainer.max_epochs=2",
        "~trainer.strategy",
    ]


@pytest.mark.parametrize(
    "override",
    [
        "trainer.limit_train_batches=1",
        "+trainer.limit_train_batches=0.5",
        "trainer.max_steps=5",
        "trainer.max_time=00:00:00:30",
        "trainer.gradient_clip_val=1.0",
        "trainer.accumulate_grad_batches=2",
        "trainer.check_val_every_n_epoch=1",
        "trainer.val_check_interval=0.5",
        "trainer.enable_progress_bar=false",
        "trainer.enable_model_summary=true",
        "trainer.enable_checkpointing=false",
        "logger=none",
        "logger=false",
    ],
)
def test_train_with_trainer_option(override, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = vae_lightning.train([*QUICK, "callbacks.figures=null", "callbacks.projector=null", override])
    out = capsys.readouterr().out
    assert "test/nelbo" in run.metrics
    assert ("continue" in out) == ("enable_checkpointing" not in override)
    assert ("curves" in out) == ("logger" not in override)
    assert "figures" not in out


def test_invalid_trainer_option_raises(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^trainer.max_step: no such option. Did you mean trainer.max_steps"):
        vae_lightning.train(["trainer.max_step=5"])
    with pytest.raises(UserError, match=r"^trainer.limit_train_batches=1.5: must be null or a number of batches, or a"):
        vae_lightning.train(["trainer.limit_train_batches=1.5"])
