"""Tests of learning a prior for a finished run, from its directory to the samples."""

import json
import shutil
import sys

import pytest
import torch
import yaml
from conftest import SMALL

import vae_lightning
from vae_lightning.cli.train import main
from vae_lightning.errors import UserError
from vae_lightning.evaluation.evaluate import evaluate

QUICK = [*(o for o in SMALL if not o.startswith("~")), "callbacks=minimal", "logger=none", "trainer.max_epochs=1"]
OF_RUN = [
    "trainer=cpu",
    "callbacks=minimal",
    "logger=none",
    "trainer.enable_progress_bar=false",
    "trainer.max_epochs=2",
]


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained():
    """Return a trained VAE."""
    return vae_lightning.train(QUICK)


def test_prior_run_is_a_complete_model_of_the_same_data(trained):
    run = vae_lightning.train([f"prior_of={trained.run_dir}", "model/prior=second_stage_vae", *OF_RUN])
    assert run.run_dir.parent.name == "second_stage_vae-small"
    assert run.config["data"] == trained.config["data"]
    assert run.config["model"]["autoencoder"] == trained.config["model"]
    assert run.metrics["test/distortion"] == pytest.approx(trained.metrics["test/distortion"], rel=1e-3)
    assert run.metrics["test/nelbo"] == pytest.approx(run.metrics["test/distortion"] + run.metrics["test/rate"])
    shutil.rmtree(trained.run_dir)  # it is not needed any more
    model = vae_lightning.load(run.run_dir)
    assert model.sample(3).shape == (3, 1, 8, 8)
    numbers = evaluate(run.run_dir, quick=True, only=["likelihood", "samples"], images=200, samples=5)
    assert numbers["likelihood/log_px"] < 0
    again = evaluate(run.run_dir, quick=True, only=["likelihood"], images=200, samples=5)
    assert again["likelihood/log_px"] == numbers["likelihood/log_px"]


def test_learned_prior_fits_better(trained):
    run = vae_lightning.train([f"prior_of={trained.run_dir}", *OF_RUN])
    assert run.metrics["test/rate"] < trained.metrics["test/rate"]


def test_interrupted_prior_run_resumes_to_the_same_bits(trained):
    prior = [f"prior_of={trained.run_dir}", "model/prior=flow_matching", "model.prior.width=8", *OF_RUN]
    uninterrupted = vae_lightning.train(prior)
    first = vae_lightning.train([*prior, "trainer.max_epochs=1"])
    shutil.rmtree(trained.run_dir)  # its model and data are in the configuration of the prior's run
    resumed = vae_lightning.train([f"resume={first.run_dir}", "trainer.max_epochs=2"])
    assert resumed.run_dir == first.run_dir
    assert resumed.config["name"] == first.config["name"]
    assert resumed.metrics == uninterrupted.metrics
    weights, expected = resumed.model.state_dict(), uninterrupted.model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_latest_is_the_newest_run_that_is_not_a_prior_and_auto_finds_the_prior(trained):
    first = vae_lightning.train(["prior_of=latest", *OF_RUN])
    second = vae_lightning.train(["prior_of=latest", "seed=1", *OF_RUN])
    assert first.config["model"]["autoencoder"] == second.config["model"]["autoencoder"] == trained.config["model"]
    assert (first.config["data"]["seed"], second.config["data"]["seed"]) == (0, 1)
    again = vae_lightning.train(["prior_of=latest", *OF_RUN, "trainer.limit_val_batches=1", "resume=auto"])
    assert again.run_dir not in (first.run_dir, second.run_dir)
    assert vae_lightning.train(["prior_of=latest", *OF_RUN, "resume=auto"]).run_dir == first.run_dir


def test_options_of_the_data_can_be_changed(trained):
    run = vae_lightning.train([f"prior_of={trained.run_dir}", "data.batch_size=64", *OF_RUN])
    assert run.config["data"] == {**trained.config["data"], "batch_size": 64}
    run = vae_lightning.train([f"prior_of={trained.run_dir}", "data=digits", "data.image_shape=[1,8,8]", *OF_RUN])
    assert run.config["data"]["batch_size"] != trained.config["data"]["batch_size"]


def test_prior_without_a_density_is_evaluated_by_its_samples(trained):
    run = vae_lightning.train([f"prior_of={trained.run_dir}", "model/prior=flow_matching", *OF_RUN])
    assert "test/rate" not in run.metrics
    numbers = evaluate(run.run_dir, quick=True, only=["likelihood", "samples"], images=200)
    assert numbers["likelihood/log_px"] is None
    assert numbers["likelihood/distortion"] > 0
    assert numbers["samples/fid"] > 0
    notes = json.loads((run.run_dir / "metrics.json").read_text())["evaluation"]["likelihood"]["notes"]
    assert notes["log_px"] == "unavailable: p(z) of LatentPrior has no density"


def test_labels_for_the_prior_alone(trained):
    prior = [f"prior_of={trained.run_dir}", "model/prior=flow_matching", "model.prior.width=8", *OF_RUN]
    run = vae_lightning.train([*prior, "model.conditional=true"])
    assert run.model.sample(3, torch.arange(3)).shape == (3, 1, 8, 8)


def test_sweep_over_priors(trained, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    main(
        ["-m", "sweep=priors", f"prior_of={trained.run_dir}", "model/prior=gaussian_mixture,second_stage_vae", *OF_RUN]
    )
    sweep = tmp_path / "runs" / "sweeps" / "priors"
    for name in ("gaussian_mixture", "second_stage_vae"):
        metrics = json.loads((sweep / f"model.prior={name}" / "metrics.json").read_text())
        assert 0 < metrics["test/rate"] < 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=latent_prior"], r"^prior_of=null: the model or the data comes from a trained run. Set prior_of=RUN.$"),
        (
            ["prior_of=RUN", "model=vae"],
            r"^prior_of=.*: this model learns no prior for a run. Set model=latent_prior.$",
        ),
        (["prior_of=nowhere"], r"^nowhere: no such run or checkpoint."),
        (["prior_of=[a]"], r"^prior_of=\['a'\]: must be null or text.$"),
        (["data=of_run"], r"^init_from=null: .* Set init_from=RUN.$"),
        (
            ["prior_of=RUN", "model.prior.num_components=2000"],
            r"^model.prior.num_components=2000: there are only 1257 ",
        ),
        (["prior_of=RUN", "+model.autoencoder.latent_dim=3"], r"^prior_of=.*: this model learns no prior"),
        (
            ["prior_of=RUN", "data.batchsize=3"],
            r"^data.batchsize: not an option of this run's data. Use one of .*batch_size",
        ),
        (["prior_of=RUN", "model/prior=code_transformer"], r"the latents are not codes"),
        (["prior_of=RUN", "model/prior=standard_normal"], r"has nothing to learn"),
        (["prior_of=RUN", "data.image_shape=[1,16,16]"], r"images must have shape \(B, 1, 8, 8\)"),
    ],
)
def test_mistakes_are_reported_on_one_line(overrides, message, trained, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message):
        vae_lightning.train([o.replace("RUN", str(trained.run_dir)) for o in overrides] + OF_RUN)
    assert sorted(tmp_path.rglob("*")) == before


def test_run_with_untrusted_classes_is_refused(trained):
    path = trained.run_dir / ".hydra" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["data"]["_target_"] = "subprocess.Popen"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=r"names subprocess\.Popen, which is not trusted"):
        vae_lightning.train([f"prior_of={trained.run_dir}", *OF_RUN])
