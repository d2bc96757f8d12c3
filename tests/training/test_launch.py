"""Tests of `vae_lightning.train`, which trains from Python."""

import json
import random

import lightning as L
import numpy as np
import pytest
import torch
from conftest import SMALL

import vae_lightning
from vae_lightning.errors import UserError

QUICK = [*(o for o in SMALL if not o.startswith("~")), "callbacks=minimal", "logger=none", "trainer.max_epochs=1"]


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_train_returns_the_run(tmp_path):
    run = vae_lightning.train([*QUICK, "model=cvae"])
    assert run.run_dir.parent == tmp_path / "runs" / "small"
    assert run.metrics == json.loads((run.run_dir / "metrics.json").read_text())
    assert run.config["model"]["conditional"] is True
    assert run.model.sample(3, y=torch.arange(3)).shape == (3, 1, 8, 8)


def test_training_does_not_change_the_random_numbers_of_the_process():
    drawn = [(random.random(), np.random.rand(), torch.rand(1).item())]
    vae_lightning.train(QUICK)
    drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    L.seed_everything(0, verbose=False)
    after_seed = (random.random(), np.random.rand(), torch.rand(1).item())
    vae_lightning.train([*QUICK, "seed=0"])
    drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert len({*drawn, after_seed}) == 4


def test_resumed_run_equals_an_uninterrupted_run():
    uninterrupted = vae_lightning.train([*QUICK, "trainer.max_epochs=2"])
    first = vae_lightning.train(QUICK)
    resumed = vae_lightning.train([f"resume={first.run_dir}", "trainer.max_epochs=2"])
    assert resumed.run_dir == first.run_dir
    assert resumed.metrics == uninterrupted.metrics
    weights, expected = resumed.model.state_dict(), uninterrupted.model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_older_run_of_vq_vae_resumes_with_its_flat_latents():
    quick = [
        option for option in QUICK if not option.startswith(("model.latent_dim", "model/network", "model.network"))
    ]
    run = vae_lightning.train([*quick, "model=vq_vae", "model/network=conv", "model.latent_dim=64"])
    overrides = run.run_dir / ".hydra" / "overrides.yaml"
    lines = overrides.read_text().splitlines(keepends=True)
    overrides.write_text("".join(line for line in lines if "network" not in line and "latent" not in line))
    resumed = vae_lightning.train([f"resume={run.run_dir}", "trainer.max_epochs=2"])
    assert resumed.run_dir == run.run_dir
    assert resumed.model.latent_shape == 64


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.latent_dimm=3", r"^model.latent_dimm: no such option. Did you mean model.latent_dim"),
        ("model.latent_dim=0", r"^model.latent_dim=0: must be an integer from 1 to 1,000,000.$"),
        ("model=none", r"^model=none: no such choice. Choose one of aae, ada_gvae, "),
        ("model=VAE", r"^model=VAE: no such choice. Did you mean vae\?"),
        ("model=vqvae", r"^model=vqvae: no such choice. Did you mean vq_vae\? Choose one of aae"),
        ("data.root=a", r"^data.root: no such option. It belongs to data="),
        ("model.likelihood=gaussian", r"a choice of its config group, .* Use model/likelihood=gaussian"),
        ("data=image_folder", r"^data.root: has no default"),
        ("-m", r"^-m: only overrides are allowed here. Run sweeps with vae-lightning train -m"),
        ("resume=nowhere", r"^nowhere: no such run or checkpoint."),
    ],
)
def test_invalid_override_raises_and_nothing_is_written(override, message, tmp_path):
    with pytest.raises(UserError, match=message):
        vae_lightning.train([*QUICK, override])
    assert list(tmp_path.iterdir()) == []


def test_a_string_instead_of_overrides_raises():
    with pytest.raises(UserError, match=r"^overrides=model=vae: must be a list of strings. Pass \['model=vae'\].$"):
        vae_lightning.train("model=vae")


class OwnVAE(vae_lightning.models.VAE):
    """A model of the user's own."""


def test_own_model_does_not_borrow_the_options_of_other_models(tmp_path):
    with pytest.raises(UserError, match=r"^model\.depth: no such option\. The options are model\.network, "):
        vae_lightning.train([*QUICK, f"model._target_={__name__}.OwnVAE", "+model.depth=3"])
    with pytest.raises(UserError, match=r"^model\.depth: no such option\. It belongs to model="):
        vae_lightning.train([*QUICK, "+model.depth=3"])


class OwnPrior(vae_lightning.distributions.VampPrior):
    """A prior of the user's own."""


def test_class_of_a_chosen_part_can_be_replaced():
    run = vae_lightning.train([*QUICK, "model/prior=vamp", f"model.prior._target_={__name__}.OwnPrior"])
    assert isinstance(run.model.prior, OwnPrior)
