"""Tests of loading models from runs and checkpoints, and that loading never runs code from a file."""

from functools import partial
from pathlib import Path

import pytest
import torch
from small_training import digits, quiet_trainer

import vae_lightning
from vae_lightning.checkpointing.trust import UntrustedError
from vae_lightning.errors import UserError
from vae_lightning.networks import MLP
from vae_lightning.training.train import train

VAE = "vae_lightning.models.VAE"


@pytest.fixture
def run(small, tmp_path):
    train(small("model=beta_vae", "model.beta=2"))
    return tmp_path / "run"


def test_loading_does_not_change_the_random_numbers_of_the_process():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    vae_lightning.load("mnist_vae_2d")
    assert torch.rand(1) == expected


def test_load_from_a_run_or_a_checkpoint_returns_a_model_in_eval_mode(run, images):
    model = vae_lightning.load(run)
    assert type(model).__name__ == "BetaVAE"
    assert not model.training
    assert not model.encode(images).mean.requires_grad
    assert model.regularizer.beta == 2
    best = torch.load(run / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())
    for path in (run / "checkpoints", str(run / "checkpoints/best.ckpt")):
        assert torch.equal(model.reconstruct(images), vae_lightning.load(path).reconstruct(images))


def test_a_loaded_model_keeps_its_prior_when_it_is_trained_further(small):
    """The pseudo-inputs of a new VampPrior are training images; those of a trained one are its own."""
    cfg = small(
        "model=vamp_vae", "model.prior.from_images=true", "trainer.max_epochs=1", "logger=none", "callbacks=minimal"
    )
    train(cfg)
    model = vae_lightning.load(cfg.run_dir)
    before = {name: value.clone() for name, value in model.prior.state_dict().items()}
    model.unfreeze()
    model.optimizer = partial(torch.optim.SGD, lr=0.0)
    quiet_trainer(limit_train_batches=1, limit_val_batches=0, max_epochs=1).fit(model, datamodule=digits())
    assert all(value.equal(before[name]) for name, value in model.prior.state_dict().items())


def test_checkpoint_contains_the_resolved_configuration_as_plain_data(run):
    config = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["config"]
    assert type(config) is dict
    assert config["model"]["image_shape"] == [1, 8, 8]
    assert config["seed"] == 0


def test_loaded_model_reconstructs_images(small, tmp_path, images):
    for model in ("ae", "vae", "cvae"):
        train(small(f"model={model}", "trainer.max_epochs=1", run=model))
        loaded = vae_lightning.load(tmp_path / model)
        labels = torch.zeros(len(images), dtype=torch.int64)
        assert loaded.reconstruct(images, labels).shape == images.shape


UNTRUSTED = [
    "os.system",
    "builtins.open",
    "vae_lightning.loggers.TensorBoard",  # opens the file that its argument names
    "vae_lightning.checkpointing.loading.Path",  # an alias of pathlib.Path
    "torch.optim.optimizer.functools.partial",
    "vae_lightning.checkpointing.loading.load_model",  # not a class
    "vae_lightning_of_another.Model",
    ["os.system"],
]


@pytest.mark.parametrize("target", UNTRUSTED, ids=str)
def test_untrusted_class_at_any_depth_raises(target, tmp_path):
    call = {"_target_": target}
    for config in (call, {"_target_": VAE, "network": call}, {"_target_": VAE, "network": {"hidden_dims": [1, call]}}):
        torch.save({"config": {"model": config}, "state_dict": {}}, tmp_path / "evil.ckpt")
        with pytest.raises(UserError, match=r"evil.ckpt: names .* not trusted"):
            vae_lightning.load(tmp_path / "evil.ckpt")


@pytest.mark.parametrize(
    "network",
    [
        "${oc.create:'{_target_: os.system}'}",  # would be resolved into a call
        ({"_target_": "builtins.open", "file": "owned", "mode": "w"},),  # Hydra treats a tuple as a list
        ("${oc.env:HOME}",),
        {("${oc.env:HOME}",): 1},
    ],
    ids=str,
)
def test_configuration_that_is_not_plain_data_raises(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"_target_": VAE, "network": network}
    torch.save({"config": {"model": config}, "state_dict": {}}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match="not trusted in a configuration"):
        vae_lightning.load(tmp_path / "evil.ckpt")
    assert not (tmp_path / "owned").exists()


def test_file_without_a_model_raises(tmp_path):
    for config in (
        {"_target_": "vae_lightning.networks.MLP", "hidden_dims": [1], "activation": "Tanh"},
        {"_target_": VAE},
    ):
        torch.save({"config": {"model": config}, "state_dict": {}}, tmp_path / "other.ckpt")
        with pytest.raises(UserError, match="does not hold a model that this version can build"):
            vae_lightning.load(tmp_path / "other.ckpt")
    for content in ({"config": {}, "state_dict": {}}, {"weights": torch.zeros(1)}, []):
        torch.save(content, tmp_path / "foreign.ckpt")
        with pytest.raises(UserError, match="not a checkpoint of vae_lightning"):
            vae_lightning.load(tmp_path / "foreign.ckpt")
    (tmp_path / "empty.ckpt").touch()
    with pytest.raises(UserError, match=r"empty.ckpt: cannot be read as a checkpoint \(.+\)"):
        vae_lightning.load(tmp_path / "empty.ckpt")


class CustomNetwork(MLP):
    """A network that is not part of the package."""


def test_custom_package_can_be_trusted(run):
    path = run / "checkpoints/best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["config"]["model"]["network"]["_target_"] = "test_loading.CustomNetwork"
    torch.save(checkpoint, path)
    with pytest.raises(UserError, match=r"test_loading.CustomNetwork, which is not trusted.* --trust test_loading on"):
        vae_lightning.load(path)
    for trust in (("test_loading",), ["test_loading"], "test_loading", "test_loading.py", "test_loading.CustomNetwork"):
        assert vae_lightning.load(path, trust=trust).latent_dim == 3
    for trust in ("test", "test_loading.Other", "test_loading.CustomNetwork.More"):
        with pytest.raises(UserError, match="not trusted"):
            vae_lightning.load(path, trust=trust)
    with pytest.raises(UserError, match=r"^trust=src/test_loading: not a package\. Use its name in an import"):
        vae_lightning.load(path, trust="src/test_loading.py")


def test_all_packages_to_trust_are_listed_but_no_common_ones(tmp_path):
    """Someone else's file must not make the user trust a package that runs commands."""
    path = tmp_path / "x.ckpt"
    call = {"_target_": "os.system", "command": "true"}
    network = {"_target_": "mine.Network", "activation": {"_target_": "other.nested.Activation"}, "x": call}
    torch.save({"config": {"model": {"_target_": VAE, "network": network}}, "state_dict": {}}, path)
    with pytest.raises(UntrustedError, match=r"which are not trusted\..* --trust mine --trust other on") as error:
        vae_lightning.load(path)
    assert error.value.packages == ["mine", "other"]
    torch.save({"config": {"model": call}, "state_dict": {}}, path)
    with pytest.raises(UntrustedError, match=r"os.system, which is not trusted\. Restore the original file\.$"):
        vae_lightning.load(path)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickle_that_would_run_code_raises(tmp_path):
    path = tmp_path / "evil.ckpt"
    torch.save({"config": {}, "state_dict": Payload(tmp_path / "owned")}, path)
    with pytest.raises(UserError, match=r"evil.ckpt: cannot be read as a checkpoint"):
        vae_lightning.load(path)
    assert not (tmp_path / "owned").exists()


def test_missing_run_or_checkpoint_raises(tmp_path):
    with pytest.raises(UserError, match="no such run or checkpoint"):
        vae_lightning.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no checkpoints/last.ckpt or best.ckpt here"):
        vae_lightning.load(tmp_path)


def test_similar_run_directories_are_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Path("runs/vae-digits/2026-01-31_12-00-00")
    (run / "checkpoints").mkdir(parents=True)
    for wrong, meant in {"runs/vae-digit": run.parent, "vae-digits": run.parent, f"{run}0": run}.items():
        with pytest.raises(UserError, match=rf"^{wrong}: no such run or checkpoint\. Did you mean {meant}\?$"):
            vae_lightning.load(wrong)
    with pytest.raises(UserError, match=rf"last\.ckpt or best\.ckpt here\. Pass a run in it, such as {run}\.$"):
        vae_lightning.load(run.parent)
