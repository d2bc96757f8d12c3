"""Tests of starting from the weights of another run."""

import shutil

import pytest
import torch
from conftest import SMALL

import vae_lightning
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.errors import UserError
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.exporting.weights import export_weights

QUIET = ["callbacks=minimal", "logger=none", "trainer.max_epochs=1", "trainer.enable_progress_bar=false"]
QUICK = [*(o for o in SMALL if not o.startswith("~")), *QUIET]
LONGER = ["trainer.max_epochs=2"]
STILL = ["model.optimizer.lr=1e-12"]
OTHER = ["data=digits", "data.image_shape=[1,8,8]", "data.batch_size=64"]


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained():
    """Return a trained VAE with a VampPrior, whose pseudo-images started as training images."""
    return vae_lightning.train([*QUICK, "model=vamp_vae", "model.prior.num_components=5"])


def test_run_starts_from_the_weights_of_another(trained):
    run = vae_lightning.train([f"init_from={trained.run_dir}", "seed=3", *STILL, *QUIET])
    assert run.run_dir.parent.name == "tuned-small"
    assert run.config["data"] == {**trained.config["data"], "seed": 3}
    weights, expected = run.model.state_dict(), trained.model.state_dict()
    assert all(torch.allclose(weights[name], expected[name]) for name in expected)
    assert run.metrics["test/distortion"] == pytest.approx(trained.metrics["test/distortion"], rel=1e-2)


def test_model_can_be_tuned_on_other_data_with_another_objective_and_schedule(trained):
    changes = ["model.init_std=null", "model/optimizer=sgd", "model.optimizer.lr=1e-4", "model/scheduler=exponential"]
    run = vae_lightning.train([f"init_from={trained.run_dir}", *OTHER, *changes, *QUIET])
    assert run.run_dir.parent.name == "tuned-small-digits"
    assert run.config["data"]["batch_size"] == 64
    assert run.config["model"]["optimizer"]["_target_"] == "torch.optim.SGD"
    assert "betas" not in run.config["model"]["optimizer"]
    assert run.config["model"]["scheduler"]["gamma"] < 1
    other = vae_lightning.train(
        [f"init_from={trained.run_dir}", "model=beta_vae", "model/prior=vamp", "model.prior.num_components=5",
         "model/network=mlp", "model.network.hidden_dims=[16]", "model.latent_dim=3", *QUIET]
    )  # fmt: skip
    assert other.config["model"]["_target_"] == "vae_lightning.models.BetaVAE"
    assert other.metrics["test/nelbo"] < 1.1 * trained.metrics["test/nelbo"]


def test_tuned_run_resumes_to_the_same_bits_without_the_other_run(trained):
    options = [f"init_from={trained.run_dir}", *QUIET]
    uninterrupted = vae_lightning.train([*options, "trainer.max_epochs=2"])
    first = vae_lightning.train(options)
    shutil.rmtree(trained.run_dir)
    resumed = vae_lightning.train([f"resume={first.run_dir}", "trainer.max_epochs=2"])
    assert resumed.metrics == uninterrupted.metrics
    weights, expected = resumed.model.state_dict(), uninterrupted.model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_pretrained_model_is_tuned_by_name(tmp_path):
    options = ["init_from=mnist_vae_2d", "data=digits", "trainer.limit_train_batches=2", *STILL, *QUIET]
    run = vae_lightning.train(options)
    assert run.run_dir.parent.name == "tuned-mnist_vae-digits"
    weights, expected = run.model.state_dict(), vae_lightning.load("mnist_vae_2d").state_dict()
    assert all(torch.allclose(weights[name], expected[name]) for name in expected)


def test_tuned_run_resumes_with_other_options(trained):
    run = vae_lightning.train([f"init_from={trained.run_dir}", *QUIET])
    longer = ["trainer.max_epochs=2", "model.optimizer.lr=1e-4", "data.batch_size=64"]
    resumed = vae_lightning.train([f"resume={run.run_dir}", *longer])
    assert (resumed.config["model"]["optimizer"]["lr"], resumed.config["data"]["batch_size"]) == (1e-4, 64)


def test_mixture_and_codes_of_the_other_run_are_kept_and_its_schedule_is_not():
    vade = vae_lightning.train([*QUICK, "model=vade", "model.pretrain_epochs=0", "model/scheduler=cosine"])
    run = vae_lightning.train([f"init_from={vade.run_dir}", "model.pretrain_epochs=1", *STILL, *QUIET, *LONGER])
    assert "scheduler" not in run.config["model"]
    torch.testing.assert_close(run.model.prior.mu, vade.model.prior.mu)
    codes = vae_lightning.train([*QUICK, "model=vq_vae", "model.latent_dim=4"])
    tuned = vae_lightning.train([f"init_from={codes.run_dir}", *QUIET])
    assert vae_lightning.train([f"resume={tuned.run_dir}", *LONGER]).config["trainer"]["max_epochs"] == 2


def test_export_in_the_directory_of_another_run_is_itself(trained, capsys):
    other = vae_lightning.train([*QUICK, "model.latent_dim=2", "run_dir=other"])
    before = (other.run_dir / "metrics.json").read_text()
    file = export_weights(trained.run_dir, "other/a.safetensors")
    with pytest.raises(UserError, match=r"a.safetensors: an exported model has no run directory to write to"):
        evaluate(file, quick=True)
    assert (other.run_dir / "metrics.json").read_text() == before
    run = vae_lightning.train([f"init_from={file}", *STILL, *QUIET])
    assert run.config["model"] == {**trained.config["model"], "optimizer": run.config["model"]["optimizer"]}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=of_run"], r"^init_from=null: the model or the data comes from a trained run. Set init_from=RUN.$"),
        (["init_from=nowhere"], r"^nowhere: no such run or checkpoint."),
        (["init_from=RUN", "prior_of=RUN"], r"^init_from=.*: not available together with prior_of."),
        (["init_from=RUN", "model=latent_prior"], r"^prior_of=null: the model or the data"),
        (
            ["init_from=RUN", "model.latent_dims=3"],
            r"^model.latent_dims: not an option of this run's model. Use",
        ),
        (
            ["init_from=RUN", "model.latent_dim=4"],
            r"^init_from=.*: its weights do not fit this model, first post",
        ),
        (
            ["init_from=RUN", "model=factor_vae", *(o for o in SMALL if o.startswith("model"))],
            r"^init_from=.*: its weights do not fit this model, first regularizer\..*, None there and \(.* here",
        ),
        (["init_from=RUN", "model/network=resnet"], r"^model/network: the trained model has this part."),
        (["init_from=RUN", "data=digits"], r"^init_from=.*: its weights do not fit this model, first "),
    ],
)
def test_mistakes_are_reported_on_one_line(overrides, message, trained, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message):
        vae_lightning.train([o.replace("RUN", str(trained.run_dir)) for o in overrides] + QUIET)
    assert sorted(tmp_path.rglob("*")) == before


def test_checkpoint_outside_of_its_run_is_an_error(trained, tmp_path):
    copy = shutil.copy(trained.run_dir / "checkpoints/best.ckpt", tmp_path / "copied.ckpt")
    for use in (lambda: vae_lightning.train([f"init_from={copy}", *QUIET]), lambda: load_run(copy)):
        with pytest.raises(UserError, match=r"copied\.ckpt: not in checkpoints/ of a run directory, whose"):
            use()
