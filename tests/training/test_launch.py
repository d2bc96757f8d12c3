"""`vae_lightning.train`: training from Python."""

import json

import pytest
import torch
from conftest import SMALL

import vae_lightning
from vae_lightning.errors import UserError

QUICK = [*(o for o in SMALL if not o.startswith("~")), "callbacks=minimal", "logger=none", "trainer.max_epochs=1"]


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_train_returns_the_run(tmp_path):
    run = vae_lightning.train([*QUICK, "model=cvae"])
    assert run.run_dir.parent == tmp_path / "runs" / "small"
    assert run.metrics == json.loads((run.run_dir / "metrics.json").read_text())
    assert run.config["model"]["conditional"] is True
    assert run.model.sample(3, y=torch.arange(3)).shape == (3, 1, 8, 8)


def test_a_run_is_resumed_and_equals_one_that_was_not_interrupted():
    once = vae_lightning.train([*QUICK, "trainer.max_epochs=2"])
    first = vae_lightning.train(QUICK)
    resumed = vae_lightning.train([f"resume={first.run_dir}", "trainer.max_epochs=2"])
    assert resumed.run_dir == first.run_dir
    assert resumed.metrics == once.metrics
    weights, expected = resumed.model.state_dict(), once.model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_two_runs_of_the_same_second_have_directories_of_their_own():
    assert vae_lightning.train(QUICK).run_dir != vae_lightning.train(QUICK).run_dir


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.latent_dimm=3", r"^model.latent_dimm: no such option. Did you mean model.latent_dim"),
        ("model.latent_dim=0", r"^model.latent_dim=0: must be an integer from 1 to 1,000,000.$"),
        ("model=none", r"^model=none: no such choice. Choose one of ae, "),
        ("-m", r"^-m: only overrides are allowed here. Run sweeps with vae-lightning train -m"),
        ("resume=nowhere", r"^nowhere: no such run or checkpoint."),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(override, message, tmp_path):
    with pytest.raises(UserError, match=message):
        vae_lightning.train([*QUICK, override])
    assert list(tmp_path.iterdir()) == []
